import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListVersionsRequestSchema, Order, View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { parseKnownVersion } from "../domain/version.ts";
import { decodePageToken, pageTokenEncoder } from "./page-token.ts";

const positions = fc.record({
  after: arbitraryVersion().map((text) => Buffer.from(encodePrecedence(parseKnownVersion(text)))),
  remaining: fc.option(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { nil: undefined }),
});

const request = makeRequest({ model: "image_classifier", order: Order.LOWEST_FIRST, limit: 7 });

function makeRequest(init: MessageInitShape<typeof ListVersionsRequestSchema>) {
  return create(ListVersionsRequestSchema, init);
}

describe("a page token", () => {
  it("gives back the position that it was made of, whatever the page size", () => {
    fc.assert(
      fc.property(positions, fc.nat(1000), (position, pageSize) => {
        const pageToken = pageTokenEncoder(request)(position);
        expect(pageToken).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodePageToken(makeRequest({ ...request, pageSize, pageToken }))).toEqual(position);
      }),
    );
  });

  it("is good for the same arguments, written out or left to the default", () => {
    const plain = makeRequest({ model: "m" });
    const position = { after: Buffer.from("01000002", "hex"), remaining: undefined };
    const pageToken = pageTokenEncoder(plain)(position);
    const spelled = makeRequest({ model: "m", order: Order.HIGHEST_FIRST, view: View.FULL, pageToken });
    expect(decodePageToken(spelled)).toEqual(position);
  });

  it("is absent from the first request", () => {
    expect(decodePageToken(request)).toBeUndefined();
  });

  it("is refused when any of its bytes is another", () => {
    fc.assert(
      fc.property(positions, fc.nat(), fc.integer({ min: 1, max: 255 }), (position, where, change) => {
        const bytes = Buffer.from(pageTokenEncoder(request)(position), "base64url");
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const pageToken = bytes.toString("base64url");
        expect(() => decodePageToken(makeRequest({ ...request, pageToken }))).toThrow(
          expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
        );
      }),
    );
  });

  it("is refused when it is any other text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (pageToken) => {
        expect(() => decodePageToken(makeRequest({ ...request, pageToken }))).toThrow(
          expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
        );
      }),
    );
  });

  it.each([
    { model: "image_classifier2" },
    { order: Order.HIGHEST_FIRST },
    { limit: 8 },
    { range: "^1" },
    { filter: "true" },
  ])("is refused with %o instead", (change) => {
    fc.assert(
      fc.property(positions, (position) => {
        const pageToken = pageTokenEncoder(request)(position);
        expect(() => decodePageToken(makeRequest({ ...request, ...change, pageToken }))).toThrow(
          expect.objectContaining({ reason: "PAGE_TOKEN_MISMATCH" }),
        );
      }),
      { numRuns: 10 },
    );
  });
});
