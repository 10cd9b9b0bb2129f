import { create } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ListVersionsRequestSchema, Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { insertRows } from "../support/insert-rows.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { rowOf } from "../support/row.ts";
import { readError } from "../support/rpc-error.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const model = "large";
const COUNT = 100_000;

// In order of precedence: each release follows its prereleases.
const versions = Array.from({ length: COUNT / 10 }, (_, index) => `${index >> 8}.${index & 0xff}.0`).flatMap(
  (release) => [...Array.from({ length: 9 }, (_, rc) => `${release}-rc.${rc * 3}`), release],
);

let stack: AsyncDisposableStack;
let client: RegistryClient;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const test: TestDatabase = stack.use(await createTestDatabase());
  await insertRows(
    test.database,
    versions.map((version) => rowOf(model, version)),
  );
  const config = readConfig({ STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: test.url });
  const service = stack.use(await startService(config, pino({ level: "silent" })));
  client = stack.use(new RegistryClient(service.address));
}, 120_000);

afterAll(async () => await stack.disposeAsync());

describe(`a listing of ${COUNT} versions`, () => {
  it.each([
    { order: Order.LOWEST_FIRST, expected: versions },
    { order: Order.HIGHEST_FIRST, expected: versions.toReversed() },
  ])("delivers every version once, in order ($order)", async ({ order, expected }) => {
    expect(await client.listAll({ model, order })).toEqual(expected);
  });

  it("delivers every version once when it is broken at random points and resumed by token", async () => {
    const plan = fc.record({
      order: fc.constantFrom(Order.LOWEST_FIRST, Order.HIGHEST_FIRST),
      breaks: fc.array(
        fc.record({ after: fc.integer({ min: 1, max: 120 }), pageSize: fc.integer({ min: 0, max: 1000 }) }),
        {
          minLength: 5,
          maxLength: 20,
        },
      ),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ order, breaks }) => {
        const seen: string[] = [];
        let pageToken = "";
        for (const { after, pageSize } of [...breaks, { after: Number.POSITIVE_INFINITY, pageSize: 0 }]) {
          let messages = 0;
          for await (const page of client.list({ model, order, pageSize, pageToken })) {
            seen.push(...versionsOf(page));
            pageToken = page.nextPageToken;
            messages += 1;
            if (messages === after || pageToken === "") break;
          }
          if (pageToken === "") break;
        }
        expect(seen).toEqual(order === Order.LOWEST_FIRST ? versions : versions.toReversed());
      }),
      { numRuns: 6 },
    );
  }, 120_000);

  it("begins with a small message", async () => {
    for await (const page of client.list({ model, pageSize: 1000 })) {
      expect(page.versions.length).toBeLessThanOrEqual(100);
      break;
    }
  });

  it("tells how far a filter is that finds nothing, and goes on from there", async () => {
    const request = { model, filter: 'version == "none"' };
    const pages = await Array.fromAsync(client.list(request));
    expect(pages.flatMap(versionsOf)).toEqual([]);
    expect(pages.length).toBeGreaterThanOrEqual(COUNT / 1000);
    expect(pages.map(({ nextPageToken }) => nextPageToken === "").indexOf(true)).toBe(pages.length - 1);
    const rest = await Array.fromAsync(client.list({ ...request, pageToken: pages.at(-5)?.nextPageToken ?? "" }));
    expect(rest.length).toBeLessThanOrEqual(6);
  });

  it("finds the one that a filter is about, from any token of progress", async () => {
    const wanted = versions[COUNT / 2] ?? "";
    const request = { model, filter: `version == "${wanted}"` };
    expect(await client.listAll(request)).toEqual([wanted]);
    let pageToken = "";
    for await (const page of client.list(request)) {
      if (page.versions.length > 0) break;
      pageToken = page.nextPageToken;
    }
    expect(await client.listAll({ ...request, pageToken })).toEqual([wanted]);
  });

  it("ends at its deadline, and goes on by the last token as if nothing had been", async () => {
    const seen: string[] = [];
    let pageToken = "";
    let isComplete = false;
    let broken = 0;
    // Longer each time, so that it comes to an end on any machine.
    for (let patienceMs = 20; !isComplete; patienceMs *= 1.2) {
      const request = create(ListVersionsRequestSchema, { model, order: Order.LOWEST_FIRST, pageToken });
      const call = client.raw.listVersions(request, { deadline: Date.now() + patienceMs });
      try {
        for await (const page of call) {
          seen.push(...versionsOf(page));
          ({ nextPageToken: pageToken } = page);
          isComplete = pageToken === "";
          if (isComplete) break;
        }
      } catch (error) {
        expect(readError(error as ServiceError)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
        broken += 1;
      }
    }
    expect(seen).toEqual(versions);
    expect(broken).toBeGreaterThan(0);
  });

  it("holds no connection while its reader rests: fifty that rest leave all of them to others", async () => {
    const readers = Array.from({ length: 50 }, () => client.list({ model })[Symbol.asyncIterator]());
    await Promise.all(readers.map((reader) => reader.next()));
    const [first = ""] = versions;
    const reads = Array.from({ length: 64 }, async () => (await client.getExact(model, first))?.version);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([first]));
    await Promise.all(readers.map((reader) => reader.return?.(undefined)));
  });
});
