import fc from "fast-check";
import { rcompare } from "semver";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatDigest } from "../../src/domain/digest.ts";
import type { ModelName } from "../../src/domain/model-name.ts";
import { encodePrecedence, formatPrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { after, everyKey, type VersionInterval } from "../../src/domain/version-range.ts";
import type { Database } from "../../src/store/database.ts";
import { type ColumnSet, type Direction, listPage, type PageQuery } from "../../src/store/version-pages.ts";
import { arbitraryPrecedence } from "../support/arbitrary-version.ts";
import { insertRows } from "../support/insert-rows.ts";
import { rowOf } from "../support/row.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { uniqueModel } from "../support/test-service.ts";

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});

afterAll(async () => await test[Symbol.asyncDispose]());

// Few cores with many prereleases each, some without their release.
const crowded = fc
  .tuple(
    fc.constantFrom("0.0.0", "1.0.0", "1.0.239", "1.0.240", "1.255.256", "65536.0.9007199254740991"),
    fc.constantFrom("", "", "-0", "-1", "-rc", "-rc.1", "-rc.1.x", "-z"),
  )
  .map((parts) => parts.join(""));
const versions = fc.uniqueArray(fc.oneof({ arbitrary: crowded, weight: 3 }, arbitraryPrecedence()), {
  minLength: 1,
  maxLength: 40,
  size: "max",
});

function keyOf(version: string): Uint8Array {
  return encodePrecedence(parseKnownVersion(version));
}

async function insert(model: string, texts: readonly string[]): Promise<void> {
  await insertRows(
    test.database,
    texts.map((text) => rowOf(model, text)),
  );
}

/** Every version of the interval, page after page; each page keeps its bounds and goes on. */
async function readAll(query: PageQuery<ColumnSet>): Promise<string[]> {
  const found: string[] = [];
  let { interval } = query;
  for (;;) {
    const { rows, isLast } = await listPage(test.database, { ...query, interval });
    expect(rows.length).toBeLessThanOrEqual(query.maxRows);
    found.push(...rows.map(({ precedence }) => formatPrecedence(precedence)));
    if (isLast) return found;
    const end = rows.at(-1)?.precedence;
    if (end === undefined) throw new Error("a page without rows is not the last");
    interval = query.direction === "descending" ? { ...interval, to: end } : { ...interval, from: after(end) };
  }
}

function expected(
  texts: readonly string[],
  { from, to, prereleases }: VersionInterval,
  direction: Direction,
): string[] {
  const inside = texts.filter((text) => Buffer.compare(from, keyOf(text)) <= 0 && Buffer.compare(keyOf(text), to) < 0);
  const sorted = inside.filter((text) => prereleases || !text.includes("-")).toSorted(rcompare);
  return direction === "descending" ? sorted : sorted.toReversed();
}

describe("listPage", () => {
  it("reads the versions of an interval in order, with or without prereleases, whatever the bounds", async () => {
    const bounds = fc.record({ maxRows: fc.integer({ min: 1, max: 20 }), maxBytes: fc.integer({ min: 1, max: 4000 }) });
    const property = fc.asyncProperty(
      versions,
      fc.tuple(fc.option(crowded), fc.option(crowded)),
      fc.boolean(),
      fc.constantFrom<Direction>("ascending", "descending"),
      fc.constantFrom<ColumnSet>("number", "summary", "record", "everything"),
      bounds,
      async (texts, [low, high], prereleases, direction, columns, pageBounds) => {
        const model = uniqueModel() as ModelName;
        await insert(model, texts);
        const from = low === null ? everyKey.from : keyOf(low);
        const interval = { from, to: high === null ? everyKey.to : keyOf(high), prereleases };
        const found = await readAll({ model, interval, direction, columns, ...pageBounds });
        expect(found).toEqual(expected(texts, interval, direction));
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it.each(["ascending", "descending"] as const)("begins no row beyond the byte bound when %s", async (direction) => {
    const model = uniqueModel() as ModelName;
    await insert(model, ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
    const [{ record } = { record: Buffer.of() }] = [rowOf(model, "1.0.0")];
    for (const prereleases of [true, false]) {
      const interval = { ...everyKey, prereleases };
      const query = {
        model,
        interval,
        direction,
        columns: "record",
        maxRows: 10,
        maxBytes: record.length + 1,
      } as const;
      const { rows, isLast } = await listPage(test.database, query);
      expect({ count: rows.length, isLast }).toEqual({ count: 2, isLast: false });
    }
  });

  it("takes a hyphen in build metadata for no prerelease", async () => {
    const model = uniqueModel() as ModelName;
    await insert(model, ["1.0.0+a-b", "1.1.0-rc.1+c", "1.2.0+d"]);
    const interval = { ...everyKey, prereleases: false };
    const query = { model, interval, direction: "ascending", columns: "number", maxRows: 9, maxBytes: 9 } as const;
    const { rows } = await listPage(test.database, query);
    expect(rows.map(({ version }) => version)).toEqual(["1.0.0+a-b", "1.2.0+d"]);
  });

  it("answers digests as records have them and moments to the millisecond", async () => {
    const query = { interval: { ...everyKey, prereleases: true }, direction: "ascending", maxRows: 1_000 } as const;
    const moment = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
    const property = fc.asyncProperty(fc.array(moment, { minLength: 1, maxLength: 200 }), async (moments) => {
      const model = uniqueModel() as ModelName;
      const given = moments.map((registered_at, index) => ({ ...rowOf(model, `1.0.${index}`), registered_at }));
      await insertRows(test.database, given);
      const { rows } = await listPage(test.database, { ...query, model, columns: "summary", maxBytes: 1 });
      const expected = given.map(({ precedence, version, digest, registered_at, registered_by }) => ({
        precedence: Buffer.from(precedence),
        version,
        digest_text: formatDigest(digest),
        registered_at_ms: registered_at.getTime(),
        registered_by,
      }));
      expect(rows).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 30 });
  });

  it("is not held up for long by reads that never end", async () => {
    const model = uniqueModel() as ModelName;
    await insert(model, ["1.0.0"]);
    const interval = { ...everyKey, prereleases: true };
    const query = { model, interval, direction: "ascending", columns: "number", maxRows: 9, maxBytes: 9 } as const;
    // As on connections that are lost and do not know it.
    const lost = { executeQuery: () => new Promise(() => undefined) } as unknown as Database;
    for (let read = 0; read < 5; read += 1) void listPage(lost, query);
    const { rows } = await listPage(test.database, query);
    expect(rows.map(({ version }) => version)).toEqual(["1.0.0"]);
  }, 10_000);
});
