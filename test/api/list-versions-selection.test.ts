import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ListVersionsRequestSchema,
  Order,
  Prereleases,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { versionsOf } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

const model = uniqueModel();
const ascending = [
  "0.9.0",
  "1.0.0-rc.1",
  "1.0.0",
  "1.1.0-rc.1",
  "1.2.0",
  "2.0.0-rc.1",
  "2.0.0-rc.2",
  "2.0.0+b",
  "2.1.0",
];
const accuracyOf = (version: string) => ascending.indexOf(version) / 10;

let service: TestService;

beforeAll(async () => {
  service = await useService();
  for (const value of ascending) {
    const metadata = { description: `about ${value}`, metrics: { accuracy: accuracyOf(value) } };
    await service.client.register({ model, number: { case: "version", value }, metadata });
  }
});

afterAll(async () => await service[Symbol.asyncDispose]());

async function list(request: MessageInitShape<typeof ListVersionsRequestSchema>): Promise<string[]> {
  return await service.client.listAll({ model, order: Order.LOWEST_FIRST, ...request });
}

describe("ListVersions by range and prereleases", () => {
  it.each([
    ["", Prereleases.UNSPECIFIED, ascending],
    ["", Prereleases.INCLUDE, ascending],
    ["", Prereleases.EXCLUDE, ["0.9.0", "1.0.0", "1.2.0", "2.0.0+b", "2.1.0"]],
    ["*", Prereleases.UNSPECIFIED, ["0.9.0", "1.0.0", "1.2.0", "2.0.0+b", "2.1.0"]],
    ["^1", Prereleases.UNSPECIFIED, ["1.0.0", "1.2.0"]],
    ["^1", Prereleases.INCLUDE, ["1.0.0-rc.1", "1.0.0", "1.1.0-rc.1", "1.2.0"]],
    [">=2.0.0-rc.2", Prereleases.UNSPECIFIED, ["2.0.0-rc.2", "2.0.0+b", "2.1.0"]],
    [">=2.0.0-rc.2", Prereleases.EXCLUDE, ["2.0.0+b", "2.1.0"]],
    ["2.x || 0.x || 1.0.0-rc.1", Prereleases.UNSPECIFIED, ["0.9.0", "1.0.0-rc.1", "2.0.0+b", "2.1.0"]],
    ["^7", Prereleases.INCLUDE, []],
    [">2 <1", Prereleases.INCLUDE, []],
  ] as const)("of %j with %i lists %j", async (range, prereleases, expected) => {
    expect(await list({ range, prereleases })).toEqual(expected);
    expect(await list({ range, prereleases, order: Order.HIGHEST_FIRST })).toEqual(expected.toReversed());
    expect(await list({ range, prereleases, view: View.BASIC, pageSize: 1 })).toEqual(expected);
    expect(await list({ range, prereleases, limit: 2 })).toEqual(expected.slice(0, 2));
    expect(await list({ range, prereleases, filter: "true", limit: 2 })).toEqual(expected.slice(0, 2));
  });

  it("goes on by every token, also where the last version read was left out", async () => {
    const request = { range: "*", prereleases: Prereleases.EXCLUDE, pageSize: 1 };
    const whole = await list(request);
    for await (const page of service.client.list({ model, order: Order.LOWEST_FIRST, ...request })) {
      const last = versionsOf(page).at(-1);
      if (page.nextPageToken === "" || last === undefined) continue;
      const rest = await list({ ...request, pageToken: page.nextPageToken });
      expect(rest).toEqual(whole.slice(whole.indexOf(last) + 1));
    }
  });

  it("is an empty stream for a known model without a match, and NOT_FOUND for an unknown one", async () => {
    expect(await Array.fromAsync(service.client.list({ model, range: "^9" }))).toEqual([]);
    expect(await errorOf(service.client.listAll({ model: uniqueModel(), range: ">2 <1" }))).toMatchObject({
      reason: "MODEL_NOT_FOUND",
    });
  });
});

describe("ListVersions with view BASIC", () => {
  it("sends the records without metadata, filtered or not", async () => {
    const full = await Array.fromAsync(service.client.list({ model }));
    const expected = full.flatMap(({ versions }) => versions.map(({ modelVersion }) => modelVersion));
    for (const record of expected) if (record !== undefined) delete record.metadata;
    for (const filter of ["", 'metadata.description.startsWith("about")']) {
      const basic = await Array.fromAsync(service.client.list({ model, view: View.BASIC, filter }));
      expect(basic.flatMap(({ versions }) => versions.map(({ modelVersion }) => modelVersion))).toEqual(expected);
    }
    expect(expected).toHaveLength(ascending.length);
  });

  it("does not read large records", async () => {
    const large = uniqueModel();
    const artifacts = Array.from({ length: 450 }, (_, index) => ({ uri: `s3://${index}/${"x".repeat(2000)}` }));
    for (const value of ["1.0.0", "1.0.1", "1.0.2"]) {
      await service.client.register({ model: large, number: { case: "version", value }, metadata: { artifacts } });
    }
    // One message: by bytes of records each would be its own.
    const pages = await Array.fromAsync(service.client.list({ model: large, view: View.BASIC }));
    expect(pages.map(versionsOf)).toEqual([["1.0.2", "1.0.1", "1.0.0"]]);
  });
});

describe("ListVersions with a filter", () => {
  it.each([
    ['metadata.metrics["accuracy"] > 0.45', ["2.0.0-rc.1", "2.0.0-rc.2", "2.0.0+b", "2.1.0"]],
    ['metadata.metrics["accuracy"] > 0.45 && version.startsWith("2.1")', ["2.1.0"]],
    ['metadata.metrics["f1"] > 0.0', []],
    ['version in ["1.2.0", "2.0.0+b"]', ["1.2.0", "2.0.0+b"]],
  ])("%s lists %j", async (filter, expected) => {
    expect(await list({ filter })).toEqual(expected);
    expect(await list({ filter, pageSize: 1, order: Order.HIGHEST_FIRST })).toEqual(expected.toReversed());
  });

  it("joins with range, prereleases and limit, which counts matches", async () => {
    const request = { filter: 'metadata.metrics["accuracy"] > 0.15', range: ">=1", prereleases: Prereleases.EXCLUDE };
    expect(await list(request)).toEqual(["1.0.0", "1.2.0", "2.0.0+b", "2.1.0"]);
    expect(await list({ ...request, limit: 3 })).toEqual(["1.0.0", "1.2.0", "2.0.0+b"]);
  });

  it("resumes with what is left of the limit", async () => {
    const request = { filter: 'metadata.metrics["accuracy"] > 0.25', limit: 4, pageSize: 3 };
    const [first] = await Array.fromAsync(service.client.list({ model, order: Order.LOWEST_FIRST, ...request }));
    expect(first && versionsOf(first)).toEqual(["1.1.0-rc.1", "1.2.0", "2.0.0-rc.1"]);
    expect(await list({ ...request, pageToken: first?.nextPageToken ?? "" })).toEqual(["2.0.0-rc.2"]);
  });

  it("says what is wrong with it", async () => {
    expect(await errorOf(list({ filter: 'metadata.accuracy > "x"' }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      violations: [expect.stringMatching(/^filter: has no field "accuracy" at 10; /)],
    });
  });
});
