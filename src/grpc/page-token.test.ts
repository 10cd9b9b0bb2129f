import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListVersionsRequestSchema, Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { versionOf } from "../../test/support/row.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";

const positions = fc.record({
  after: arbitraryVersion().map((text) => Buffer.from(encodePrecedence(versionOf(text)))),
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
        const pageToken = encodePageToken(request, position);
        expect(pageToken).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodePageToken(makeRequest({ ...request, pageSize, pageToken }))).toEqual(position);
      }),
    );
  });

  it("is absent from the first request", () => {
    expect(decodePageToken(request)).toBeUndefined();
  });

  it("is refused when any of its bytes is another", () => {
    fc.assert(
      fc.property(positions, fc.nat(), fc.integer({ min: 1, max: 255 }), (position, where, change) => {
        const bytes = Buffer.from(encodePageToken(request, position), "base64url");
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
        const pageToken = encodePageToken(request, position);
        expect(() => decodePageToken(makeRequest({ ...request, ...change, pageToken }))).toThrow(
          expect.objectContaining({ reason: "PAGE_TOKEN_MISMATCH" }),
        );
      }),
      { numRuns: 10 },
    );
  });
});
