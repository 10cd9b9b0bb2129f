import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Order, Prereleases, View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;
let client: RegistryClient;

beforeAll(async () => {
  service = await useService();
  client = service.client;
});

afterAll(async () => await service[Symbol.asyncDispose]());

const ascending = ["0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.2.0+b", "1.10.0"];
const descending = ascending.toReversed();

async function registerAll(model: string, versions: readonly string[]): Promise<void> {
  for (const version of versions.toSorted()) await client.registerBare(model, version);
}

describe("ListVersions", () => {
  it("delivers the records in order of precedence, highest first unless asked otherwise", async () => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    expect(await client.listAll({ model })).toEqual(descending);
    expect(await client.listAll({ model, order: Order.HIGHEST_FIRST })).toEqual(descending);
    expect(await client.listAll({ model, order: Order.LOWEST_FIRST })).toEqual(ascending);
    const [page] = await Array.fromAsync(client.list({ model, limit: 1, view: View.FULL }));
    expect(page?.versions[0]?.modelVersion).toEqual(await client.getExact(model, "1.10.0"));
  });

  it.each([1, 2, 3, 7, 8, 9, 1000, 2 ** 31 - 1])("cuts pages of at most %i versions", async (pageSize) => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    const pages = await Array.fromAsync(client.list({ model, pageSize }));
    expect(pages.flatMap(versionsOf)).toEqual(descending);
    expect(pages).toHaveLength(Math.ceil(descending.length / pageSize));
    expect(pages.map(({ nextPageToken }) => nextPageToken === "")).toEqual(
      pages.map((_, index) => index === pages.length - 1),
    );
  });

  it.each([1, 3, 8, 9, 2 ** 31 - 1])("stops after a limit of %i and says that it is complete", async (limit) => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    const pages = await Array.fromAsync(client.list({ model, limit, pageSize: 2 }));
    expect(pages.flatMap(versionsOf)).toEqual(descending.slice(0, limit));
    expect(pages.at(-1)?.nextPageToken).toBe("");
  });

  it.each([
    { order: Order.HIGHEST_FIRST, limit: 0 },
    { order: Order.LOWEST_FIRST, limit: 0 },
    { order: Order.LOWEST_FIRST, limit: 5 },
  ])("goes on after every message with its token, at another page size ($order, $limit)", async (request) => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    const whole = await client.listAll({ model, ...request });
    let seen = 0;
    for await (const page of client.list({ model, ...request, pageSize: 1 })) {
      seen += 1;
      if (page.nextPageToken === "") continue;
      const rest = client.listAll({ model, ...request, pageSize: 3, pageToken: page.nextPageToken });
      expect(await rest).toEqual(whole.slice(seen));
    }
    expect(seen).toBe(whole.length);
  });

  it("goes on at another replica and after a restart, because the token holds everything", async () => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    const [first] = await Array.fromAsync(client.list({ model, pageSize: 3 }));
    using other = new RegistryClient(service.address);
    expect(await other.listAll({ model, pageToken: first?.nextPageToken ?? "" })).toEqual(descending.slice(3));
  });

  it("bounds a message by bytes, however many versions a page may have", async () => {
    const model = uniqueModel();
    const description = "x".repeat(16 * 1024);
    const versions = Array.from({ length: 30 }, (_, patch) => `1.0.${patch}`);
    await Promise.all(
      versions.map((value) =>
        client.register({ model, number: { case: "version", value }, metadata: { description } }),
      ),
    );
    const pages = await Array.fromAsync(client.list({ model, order: Order.LOWEST_FIRST }));
    expect(pages.flatMap(versionsOf)).toEqual(versions);
    // Three records of 16 KiB are below 64 KiB, four are beyond; reads may end in the middle of a page.
    expect(Math.max(...pages.map(({ versions }) => versions.length))).toBe(3);
    expect(pages.length).toBeLessThanOrEqual(12);
  });

  it("delivers records larger than a page, one in a message", async () => {
    const model = uniqueModel();
    const artifacts = Array.from({ length: 450 }, (_, index) => ({ uri: `s3://${index}/${"x".repeat(2000)}` }));
    for (const value of ["1.0.0", "1.0.1", "1.0.2"]) {
      await client.register({ model, number: { case: "version", value }, metadata: { artifacts } });
    }
    const pages = await Array.fromAsync(client.list({ model }));
    expect(pages.map(versionsOf)).toEqual([["1.0.2"], ["1.0.1"], ["1.0.0"], []]);
    expect(pages.map(({ nextPageToken }) => nextPageToken === "")).toEqual([false, false, false, true]);
  });

  it("delivers what is registered while it runs at most once, and what was there exactly once", async () => {
    const model = uniqueModel();
    const before = Array.from({ length: 300 }, (_, minor) => `1.${minor}.0`);
    await Promise.all(before.map((version) => client.registerBare(model, version)));
    const seen: string[] = [];
    let patch = 1;
    for await (const page of client.list({ model, order: Order.LOWEST_FIRST, pageSize: 10 })) {
      seen.push(...versionsOf(page));
      await client.registerBare(model, `1.${(patch * 7) % 300}.${patch}`);
      patch += 1;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((version) => version.endsWith(".0"))).toEqual(before);
  });
});

describe("ListVersions with bad input", () => {
  it("tells an unknown model", async () => {
    const model = uniqueModel();
    expect(await errorOf(client.listAll({ model }))).toMatchObject({
      code: "NOT_FOUND",
      reason: "MODEL_NOT_FOUND",
      metadata: { model },
      resource: `stele.v1.Model ${model}`,
    });
  });

  it("reports every violated field at once", async () => {
    const unknown = { order: 9 as Order, view: 9 as View, prereleases: 9 as Prereleases };
    const call = client.listAll({ model: "", range: "v1", filter: "size(", ...unknown, limit: -1, pageSize: -2 });
    expect(await errorOf(call)).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      violations: [
        expect.stringMatching(/^model: is required/),
        "prereleases: 9 is no Prereleases; use one of the proto",
        'range: "v1" has a v before a number; leave it out',
        "order: 9 is no Order; use one of the proto",
        "view: 9 is no View; use one of the proto",
        expect.stringMatching(/^filter: /),
        "limit: -1 is negative; use 0 for no bound, or a positive number",
        "page_size: -2 is negative; use 0 for the default, or a positive number",
      ],
    });
  });
});

describe("a page token", () => {
  it("is refused with other arguments", async () => {
    const model = uniqueModel();
    const other = uniqueModel();
    await registerAll(model, ascending);
    await registerAll(other, ascending);
    const [page] = await Array.fromAsync(client.list({ model, pageSize: 3 }));
    const pageToken = page?.nextPageToken ?? "";
    const changes = [{ range: "*" }, { prereleases: Prereleases.EXCLUDE }, { filter: "true" }, { view: View.BASIC }];
    for (const change of [{ model: other }, { order: Order.LOWEST_FIRST }, { limit: 5 }, ...changes]) {
      expect(await errorOf(client.listAll({ model, pageToken, ...change }))).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "PAGE_TOKEN_MISMATCH",
        violations: ["page_token: belongs to a listing with other arguments"],
      });
    }
  });

  it("is refused when a single character differs", async () => {
    const model = uniqueModel();
    await registerAll(model, ascending);
    const [page] = await Array.fromAsync(client.list({ model, pageSize: 3 }));
    const token = page?.nextPageToken ?? "";
    const altered = [...token].map((character, at) => token.slice(0, at) + next(character) + token.slice(at + 1));
    for (const pageToken of [...altered, `${token}A`, `${token}=`, ` ${token}`, token.slice(1), "AAAA", "x", "ü"]) {
      expect(await errorOf(client.listAll({ model, pageToken }))).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "INVALID_PAGE_TOKEN",
      });
    }
  });
});

function next(character: string): string {
  return character === "A" ? "B" : "A";
}
