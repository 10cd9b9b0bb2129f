import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  GetVersionRequestSchema,
  Level,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
  Order,
  Prereleases,
  RegisterVersionRequestSchema,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { anybody } from "../../src/domain/caller.ts";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { Violations } from "../../src/domain/violations.ts";
import { createRegistry, type Registry } from "../../src/registry/registry.ts";
import { RecordCache } from "../../src/store/record-cache.ts";
import { insertRows } from "../support/insert-rows.ts";
import { customPlan, genericPlan, type RecordingDatabase, recordQueries } from "../support/query-plans.ts";
import { rowOf } from "../support/row.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const model = "crowded";
const PRERELEASES = 1_000_000;
const ABANDONED = 200_000;
const releases = Array.from({ length: 900 }, (_, index) => `1.${index % 9}.${Math.floor(index / 9)}`);

let test: TestDatabase;
let recording: RecordingDatabase;
let registry: Registry;

// A million prereleases of 1.9.0 above the releases of 1.x; a model of prereleases that led to no release; and others.
beforeAll(async () => {
  test = await createTestDatabase();
  const others = Array.from({ length: 100 }, (_, index) => [
    rowOf(`a${index}`, "1.0.0"),
    rowOf(`z${index}`, "1.0.0-rc.1"),
  ]);
  await insertRows(
    test.database,
    [...releases, "2.0.0-rc.1", "3.0.0"].map((version) => rowOf(model, version)),
  );
  await insertRows(test.database, others.flat());
  await insertNumbered(model, (number) => `1.9.0-rc.${number}`, PRERELEASES);
  await insertNumbered("abandoned", (number) => `1.${number}.0-rc.1`, ABANDONED);
  recording = recordQueries(test.database);
  registry = createRegistry({ database: recording.database, replica: undefined, records: new RecordCache(0) });
}, 120_000);

afterAll(async () => await test[Symbol.asyncDispose]());

/** Inserts the versions of so many numbers in a row. */
async function insertNumbered(name: string, versionOf: (number: string) => string, count: number): Promise<void> {
  const first = 65_536; // From here on each number has the same count of bytes.
  const template = rowOf(name, versionOf(`${first}`));
  const at = Buffer.from(template.precedence).indexOf("f2010000", "hex") + 1;
  const [head, tail] = [template.precedence.subarray(0, at), template.precedence.subarray(at + 3)];
  const [before = "", after = ""] = versionOf("#").split("#");
  await sql`
    insert into model_version (model, precedence, version, record, digest, registered_at, registered_by, attempt)
    select ${name}, ${head}::bytea || substring(int4send(number) from 2) || ${tail}::bytea,
      ${before}::text || number || ${after}::text, ${template.record}, ${template.digest}, now(), '', gen_random_uuid()
    from generate_series(${sql.lit(first)}, ${sql.lit(first + count - 1)}) as number`.execute(test.database);
  const last = versionOf(`${first + count - 1}`);
  const { rows } = await sql<{ precedence: Buffer }>`
    select precedence from model_version where model = ${name} and version = ${last}`.execute(test.database);
  expect(rows).toEqual([{ precedence: Buffer.from(encodePrecedence(parseKnownVersion(last))) }]);
}

async function drain(pages: AsyncIterable<unknown>, maxPages = Number.POSITIVE_INFINITY): Promise<void> {
  let count = 0;
  for await (const _ of pages) {
    count += 1;
    if (count >= maxPages) break;
  }
}

const { signal } = new AbortController();
const context = { start: undefined, caller: anybody, signal };

function get(request: MessageInitShape<typeof GetVersionRequestSchema>) {
  return async () => {
    const work = async () => await registry.getVersion(create(GetVersionRequestSchema, { model, ...request }), context);
    await work().catch(() => undefined);
  };
}

function list(request: MessageInitShape<typeof ListVersionsRequestSchema>, maxPages = 8) {
  return async () => {
    await drain(registry.listVersions(create(ListVersionsRequestSchema, { model, ...request }), context), maxPages);
  };
}

function increment(value: { level: Level; within?: string; prerelease?: string }) {
  return async () => {
    const number = { case: "increment", value } as const;
    const request = create(RegisterVersionRequestSchema, { model, number, validateOnly: true });
    await registry.registerVersion(request, { ...context, violations: new Violations() });
  };
}

const operations: readonly (readonly [string, () => Promise<void>])[] = [
  ["an exact version", get({ selector: { case: "version", value: "1.2.3" } })],
  ["an unknown version", get({ selector: { case: "version", value: "7.0.0" } })],
  ["^1.0.0 under a million prereleases of 1.9.0", get({ selector: { case: "range", value: "^1.0.0" } })],
  [
    "the highest of ^1.0.0, prereleases included",
    get({ selector: { case: "range", value: "^1.0.0" }, prereleases: Prereleases.INCLUDE }),
  ],
  ["the highest of all", get({ selector: { case: "range", value: "*" } })],
  ["a range without a match, and what is nearest", get({ selector: { case: "range", value: "^1.9" } })],
  ["a range of many alternatives", get({ selector: { case: "range", value: "1.9.1 || 1.9.2 || 1.9.3 || 1.8.7" } })],
  ["the whole model, highest first", list({})],
  ["the whole model, lowest first", list({ order: Order.LOWEST_FIRST })],
  ["the five highest", list({ limit: 5 })],
  ["the releases", list({ prereleases: Prereleases.EXCLUDE })],
  ["the releases, lowest first", list({ prereleases: Prereleases.EXCLUDE, order: Order.LOWEST_FIRST })],
  ["^1.0.0", list({ range: "^1.0.0" })],
  ["^1.0.0, lowest first", list({ range: "^1.0.0", order: Order.LOWEST_FIRST })],
  ["^1.0.0 by BASIC", list({ range: "^1.0.0", view: View.BASIC })],
  ["the prereleases of 1.9.0 by BASIC", list({ range: "1.9.0-0 - 1.9.0", view: View.BASIC })],
  ["what a filter finds", list({ range: "^1.0.0", filter: 'version == "1.2.3"' })],
  ["what a filter finds by BASIC", list({ range: "^1.0.0", filter: 'version == "1.2.3"', view: View.BASIC })],
  ["a range of a model without releases", get({ model: "abandoned", selector: { case: "range", value: "*" } })],
  ["the releases of a model without any", list({ model: "abandoned", range: "^1" })],
  ["the next release within ^1", increment({ level: Level.MINOR, within: "^1" })],
  ["the next release of all", increment({ level: Level.MAJOR })],
  ["the next prerelease of a crowded train", increment({ level: Level.MINOR, within: "^1", prerelease: "rc" })],
];

function isIndexScan(access: string): boolean {
  return /^Index (Only )?Scan using model_version_(pkey|release_idx)$/.test(access);
}

it("neither reads nor sorts by what BASIC leaves out", async () => {
  recording.queries.length = 0;
  await list({ view: View.BASIC, range: "^1.0.0" })();
  await list({ view: View.BASIC, order: Order.LOWEST_FIRST })();
  expect(recording.queries.length).toBeGreaterThan(4);
  expect(recording.queries.filter(({ sql: text }) => /\brecord\b/.test(text))).toEqual([]);
});

async function plansOf(operation: () => Promise<void>) {
  recording.queries.length = 0;
  await operation();
  const plans = recording.queries.map(async (query) => [
    await customPlan(test.database, query),
    await genericPlan(test.database, query),
  ]);
  expect(plans).not.toEqual([]);
  return (await Promise.all(plans)).flat();
}

// The primary key, or where prereleases are left out the index of releases.
describe.each([
  ["as inserted", async () => undefined],
  ["analyzed", async () => void (await sql`analyze model_version`.execute(test.database))],
])("the queries of an operation on a table that is %s", (_, prepare) => {
  beforeAll(prepare, 60_000);

  it.each(operations)("for %s are index scans that read what they answer", async (_name, operation) => {
    for (const { accesses, rowsRead, rowsAnswered } of await plansOf(operation)) {
      expect(accesses.filter((access) => !isIndexScan(access))).toEqual([]);
      expect(rowsRead).toBeLessThanOrEqual(rowsAnswered + 2);
    }
  });

  it("for the models are three seeks for each model, whatever its versions", async () => {
    const listing = create(ListModelsRequestSchema, {});
    const plans = await plansOf(async () => await drain(registry.listModels(listing, context)));
    const rowsRead = plans.reduce((sum, plan) => sum + plan.rowsRead, 0);
    expect(plans.flatMap(({ accesses }) => accesses).filter((access) => !isIndexScan(access))).toEqual([]);
    expect(rowsRead).toBeLessThanOrEqual(2 * 3 * 202 + 20); // Each query is carried out by two plans.
  });
});
