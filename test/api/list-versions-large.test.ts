import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { insertRows } from "../support/insert-rows.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { rowOf } from "../support/row.ts";
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
});
