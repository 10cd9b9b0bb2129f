import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryMetadata } from "../support/arbitrary-metadata.ts";
import { parseFields, varint, writeField } from "./wire.ts";

it("takes a message apart and puts the same bytes together again", () => {
  fc.assert(
    fc.property(arbitraryMetadata(), (metadata) => {
      const bytes = Buffer.from(toBinary(ModelMetadataSchema, metadata));
      expect(Buffer.concat((parseFields(bytes) ?? []).map(writeField))).toEqual(bytes);
    }),
  );
});

it.each(["0a05616263", "0b", "ffffffffffffffffffff01", "0d0000", "08"])("finds no message in %s", (hex) => {
  expect(parseFields(Buffer.from(hex, "hex"))).toBeUndefined();
});

it("writes a varint of ten bytes for the highest number of 64 bits", () => {
  expect(varint(2n ** 64n - 1n).toString("hex")).toBe("ffffffffffffffffff01");
});
