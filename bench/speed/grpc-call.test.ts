import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ListVersionsResponseSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { countEntries } from "../list-response.ts";
import { frameMessage, MessageAssembler } from "./grpc-call.ts";

test("a frame is a zero, the length in four bytes, and the message", () => {
  expect(frameMessage(Buffer.from("abc"))).toEqual(Buffer.from([0, 0, 0, 0, 3, 97, 98, 99]));
});

test("messages come out whole and in order, however their frames were cut", () => {
  const message = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.array(message), fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (messages, sizes) => {
      const bytes = Buffer.concat(messages.map(frameMessage));
      const assembler = new MessageAssembler();
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const size = sizes.next().value ?? 1;
        found.push(...assembler.add(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(found.map((each) => Uint8Array.from(each))).toEqual(messages);
    }),
  );
});

describe("countEntries", () => {
  test("counts the versions of a page and not its token", () => {
    const versions = ["1.0.0", "1.1.0", "2.0.0"].map((version) => ({ modelVersion: { model: "resnet", version } }));
    const page = create(ListVersionsResponseSchema, { versions, nextPageToken: "token" });
    expect(countEntries(toBinary(ListVersionsResponseSchema, page))).toBe(3);
  });

  test("counts none in a message of progress", () => {
    const page = create(ListVersionsResponseSchema, { nextPageToken: "token" });
    expect(countEntries(toBinary(ListVersionsResponseSchema, page))).toBe(0);
  });
});
