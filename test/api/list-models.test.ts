import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListModelsResponse } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

// Names sort by byte: "-" before "/", digits before letters.
const root = uniqueModel("models");
const registered: Readonly<Record<string, readonly string[]>> = {
  [`${root}`]: ["1.0.0", "1.1.0", "2.0.0-rc.1"],
  [`${root}-b`]: ["0.1.0-alpha", "0.1.0-beta"],
  [`${root}/a`]: ["1.0.0+b", "0.9.0"],
  [`${root}/a/x`]: ["3.0.0-rc.1", "3.0.0-rc.2", "3.0.0", "2.9.0"],
  [`${root}0`]: ["9007199254740991.0.0"],
  [`${root}a`]: ["1.0.0-rc.1", "1.0.0-rc.2", "0.5.0", "0.6.0-x", "0.6.0-y"],
};
const expected = [
  { name: root, highestRelease: "1.1.0", highestVersion: "2.0.0-rc.1" },
  { name: `${root}-b`, highestRelease: "", highestVersion: "0.1.0-beta" },
  { name: `${root}/a`, highestRelease: "1.0.0+b", highestVersion: "1.0.0+b" },
  { name: `${root}/a/x`, highestRelease: "3.0.0", highestVersion: "3.0.0" },
  { name: `${root}0`, highestRelease: "9007199254740991.0.0", highestVersion: "9007199254740991.0.0" },
  { name: `${root}a`, highestRelease: "0.5.0", highestVersion: "1.0.0-rc.2" },
];

let service: TestService;

beforeAll(async () => {
  service = await useService();
  for (const [model, versions] of Object.entries(registered)) {
    for (const version of versions) await service.client.registerBare(model, version);
  }
});

afterAll(async () => await service[Symbol.asyncDispose]());

function modelsOf({ models }: ListModelsResponse) {
  return models.map(({ name, highestRelease, highestVersion }) => ({ name, highestRelease, highestVersion }));
}

async function list(request: Parameters<TestService["client"]["listModels"]>[0]) {
  return (await Array.fromAsync(service.client.listModels(request))).flatMap(modelsOf);
}

describe("ListModels", () => {
  it("lists the models by name with their highest release and version", async () => {
    expect(await list({ prefix: root })).toEqual(expected);
  });

  it.each([
    [`${root}/`, [2, 3]],
    [`${root}/a/`, [3]],
    [`${root}a`, [5]],
    [`${root}z`, []],
  ])("lists those that begin with %s", async (prefix, indexes) => {
    expect(await list({ prefix })).toEqual(indexes.map((index) => expected[index]));
  });

  it("lists every model without a prefix", async () => {
    const all = await list({});
    const names = all.map(({ name }) => name);
    expect(names).toEqual(names.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(all).toEqual(expect.arrayContaining(expected));
  });

  it.each([1, 2, 5, 6, 7])("cuts pages of at most %i models, and goes on by every token", async (pageSize) => {
    const pages = await Array.fromAsync(service.client.listModels({ prefix: root, pageSize }));
    expect(pages.flatMap(modelsOf)).toEqual(expected);
    expect(pages).toHaveLength(Math.ceil(expected.length / pageSize));
    expect(pages.at(-1)?.nextPageToken).toBe("");
    for (const [index, { nextPageToken }] of pages.slice(0, -1).entries()) {
      const rest = await list({ prefix: root, pageSize: 3, pageToken: nextPageToken });
      expect(rest).toEqual(expected.slice((index + 1) * pageSize));
    }
  });

  it.each([1, 4, 6, 9])("stops after a limit of %i, resumed calls included", async (limit) => {
    expect(await list({ prefix: root, limit })).toEqual(expected.slice(0, limit));
    const [first] = await Array.fromAsync(service.client.listModels({ prefix: root, limit, pageSize: 1 }));
    const pageToken = first?.nextPageToken ?? "";
    if (pageToken === "") return expect(limit).toBe(1);
    return expect(await list({ prefix: root, limit, pageToken })).toEqual(expected.slice(1, limit));
  });

  it("reports every violated field at once", async () => {
    expect(await errorOf(list({ prefix: "Image", limit: -1, pageSize: -2 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      violations: [
        expect.stringMatching(/^prefix: "Image" begins no model's name; use /),
        "limit: -1 is negative; use 0 for no bound, or a positive number",
        "page_size: -2 is negative; use 0 for the default, or a positive number",
      ],
    });
  });

  it("refuses a token of other arguments, and an altered one", async () => {
    const [page] = await Array.fromAsync(service.client.listModels({ prefix: root, pageSize: 1 }));
    const pageToken = page?.nextPageToken ?? "";
    expect(await errorOf(list({ prefix: `${root}a`, pageToken }))).toMatchObject({ reason: "PAGE_TOKEN_MISMATCH" });
    expect(await errorOf(list({ prefix: root, pageToken: pageToken.slice(1) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_PAGE_TOKEN",
    });
  });
});
