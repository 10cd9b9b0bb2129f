import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
  Order,
  Prereleases,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryModelName } from "../../test/support/arbitrary-metadata.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { parseKnownVersion } from "../domain/version.ts";
import { modelPageTokens, versionPageTokens } from "./page-token.ts";

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
        const pageToken = versionPageTokens.encoder(request)(position);
        expect(pageToken).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(versionPageTokens.decode(makeRequest({ ...request, pageSize, pageToken }))).toEqual(position);
      }),
    );
  });

  it("is good for the same arguments, written out or left to the default", () => {
    const plain = makeRequest({ model: "m" });
    const position = { after: Buffer.from("01000002", "hex"), remaining: undefined };
    const pageToken = versionPageTokens.encoder(plain)(position);
    const defaults = { order: Order.HIGHEST_FIRST, view: View.FULL, prereleases: Prereleases.INCLUDE };
    const spelled = makeRequest({ model: "m", ...defaults, pageToken });
    expect(versionPageTokens.decode(spelled)).toEqual(position);
  });

  it("is absent from the first request", () => {
    expect(versionPageTokens.decode(request)).toBeUndefined();
  });

  it("is refused when any of its bytes is another", () => {
    fc.assert(
      fc.property(positions, fc.nat(), fc.integer({ min: 1, max: 255 }), (position, where, change) => {
        const bytes = Buffer.from(versionPageTokens.encoder(request)(position), "base64url");
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const pageToken = bytes.toString("base64url");
        expect(() => versionPageTokens.decode(makeRequest({ ...request, pageToken }))).toThrow(
          expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
        );
      }),
    );
  });

  it("is refused when it is any other text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (pageToken) => {
        expect(() => versionPageTokens.decode(makeRequest({ ...request, pageToken }))).toThrow(
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
    { prereleases: Prereleases.EXCLUDE },
    { filter: "true" },
    { view: View.BASIC },
  ])("is refused with %o instead", (change) => {
    fc.assert(
      fc.property(positions, (position) => {
        const pageToken = versionPageTokens.encoder(request)(position);
        expect(() => versionPageTokens.decode(makeRequest({ ...request, ...change, pageToken }))).toThrow(
          expect.objectContaining({ reason: "PAGE_TOKEN_MISMATCH" }),
        );
      }),
      { numRuns: 10 },
    );
  });
});

describe("a page token of ListModels", () => {
  const names = arbitraryModelName().map((name) => Buffer.from(name, "latin1"));
  const models = fc.record({ after: names, remaining: positions.map(({ remaining }) => remaining) });
  const listing = create(ListModelsRequestSchema, { prefix: "a", limit: 9 });

  it("gives back the position that it was made of, whatever the page size", () => {
    fc.assert(
      fc.property(models, fc.nat(1000), (position, pageSize) => {
        const pageToken = modelPageTokens.encoder(listing)(position);
        const resumed = create(ListModelsRequestSchema, { ...listing, pageSize, pageToken });
        expect(modelPageTokens.decode(resumed)).toEqual(position);
      }),
    );
  });

  it.each([{ prefix: "b" }, { limit: 8 }])("is refused with %o instead", (change) => {
    const pageToken = modelPageTokens.encoder(listing)({ after: Buffer.from("a"), remaining: undefined });
    const other = create(ListModelsRequestSchema, { ...listing, ...change, pageToken });
    expect(() => modelPageTokens.decode(other)).toThrow(expect.objectContaining({ reason: "PAGE_TOKEN_MISMATCH" }));
  });

  it("is not one of ListVersions, nor the other way round", () => {
    const [versions, all] = [create(ListVersionsRequestSchema), create(ListModelsRequestSchema)];
    const position = { after: Buffer.from("01000002", "hex"), remaining: undefined };
    const ofVersions = versionPageTokens.encoder(versions)(position);
    const ofModels = modelPageTokens.encoder(all)(position);
    const mismatch = expect.objectContaining({ reason: "PAGE_TOKEN_MISMATCH" });
    expect(() => modelPageTokens.decode({ ...all, pageToken: ofVersions })).toThrow(mismatch);
    expect(() => versionPageTokens.decode({ ...versions, pageToken: ofModels })).toThrow(mismatch);
  });

  it("is refused when its position is no model's name", () => {
    const pageToken = modelPageTokens.encoder(listing)({ after: Buffer.from("A b"), remaining: undefined });
    expect(() => modelPageTokens.decode({ ...listing, pageToken })).toThrow(
      expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
    );
  });
});
