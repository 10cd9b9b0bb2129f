import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GetVersionResponseSchema, ListVersionsResponseSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { encodeListVersionsResponse, encodeModelVersion } from "./encoded-response.ts";

// Lengths around the borders of one, two and three bytes of varint.
const sizes = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 16_370, max: 16_400 }),
  fc.constantFrom(127, 128, 2_097_150, 2_097_160),
);
const records = sizes.map((size) => create(ModelVersionSchema, { model: "m", registeredBy: "x".repeat(size) }));

describe("an encoded response", () => {
  it("is what protobuf-es would encode, for one record", () => {
    fc.assert(
      fc.property(records, (modelVersion) => {
        const bytes = encodeModelVersion(toBinary(ModelVersionSchema, modelVersion));
        const response = create(GetVersionResponseSchema, { modelVersion });
        expect(bytes.equals(toBinary(GetVersionResponseSchema, response))).toBe(true);
      }),
    );
  });

  it("is what protobuf-es would encode, for a page", () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 5 }), fc.base64String(), (modelVersions, nextPageToken) => {
        const bytes = encodeListVersionsResponse(
          modelVersions.map((modelVersion) => toBinary(ModelVersionSchema, modelVersion)),
          nextPageToken,
        );
        const versions = modelVersions.map((modelVersion) => ({ modelVersion }));
        const response = create(ListVersionsResponseSchema, { versions, nextPageToken });
        expect(bytes.equals(toBinary(ListVersionsResponseSchema, response))).toBe(true);
        expect(fromBinary(ListVersionsResponseSchema, bytes)).toEqual(response);
      }),
      { numRuns: 50 },
    );
  });
});
