import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutPages, type Entry, type Page, type Stretch, takeMatches } from "./listing-pages.ts";

interface Read {
  /** The sizes of the entries that it brought. */
  readonly sizes: readonly number[];
  /** How many rows after these were read and left out. */
  readonly leftOut: number;
}

const arbitraryReads = fc.array(
  fc.record({
    sizes: fc.array(fc.constantFrom(1, 1_000, 30_000, 70_000), { maxLength: 8 }),
    leftOut: fc.nat(2),
  }),
  { minLength: 1, maxLength: 8 },
);

/** The stretches of the reads; keys count the rows. */
function stretchesOf(reads: readonly Read[]): Stretch<Entry>[] {
  let row = 0;
  return reads.map(({ sizes, leftOut }, index) => {
    const rows = sizes.map((size, place) => ({ key: keyOf(row + place + 1), bytes: new Uint8Array(size) }));
    row += sizes.length + leftOut;
    const end = sizes.length + leftOut === 0 ? undefined : keyOf(row);
    return { rows, end, isLast: index === reads.length - 1 };
  });
}

function keyOf(row: number): Uint8Array {
  return Buffer.of(row >> 8, row & 0xff);
}

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield item;
}

async function cut(reads: readonly Read[], limit: number, pageSize: number): Promise<Page[]> {
  return await Array.fromAsync(cutPages(stream(stretchesOf(reads)), { limit, pageSize }));
}

describe("cutPages", () => {
  const limits = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(Number.POSITIVE_INFINITY));

  it("delivers every entry up to the limit once, in pages that keep their bounds, and only the last is the last", async () => {
    const property = fc.asyncProperty(
      arbitraryReads,
      limits,
      fc.integer({ min: 1, max: 5 }),
      async (reads, limit, size) => {
        const sizes = reads.flatMap((read) => read.sizes).slice(0, limit);
        const pages = await cut(reads, limit, size);
        expect(pages.flatMap(({ entries }) => entries.map(({ length }) => length))).toEqual(sizes);
        for (const { entries } of pages) {
          expect(entries.length).toBeLessThanOrEqual(size);
          const sizeBytes = entries.reduce((sum, { length }) => sum + length, 0);
          if (entries.length > 1) expect(sizeBytes).toBeLessThanOrEqual(64 * 1024);
        }
        const isLast = pages.map(({ next }) => next === undefined);
        if (pages.length > 0) expect(isLast.indexOf(true)).toBe(pages.length - 1);
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });

  it("goes on after each page where that one ended, with what is left of the limit", async () => {
    const property = fc.asyncProperty(arbitraryReads, limits, async (reads, limit) => {
      const whole = stretchesOf(reads).flatMap(({ rows }) => rows);
      let delivered = 0;
      for (const { entries, next } of await cut(reads, limit, 3)) {
        delivered += entries.length;
        if (next === undefined) continue;
        const rest = whole.filter(({ key }) => Buffer.compare(key, next.after) > 0);
        expect(rest).toEqual(whole.slice(delivered));
        expect(next.remaining).toBe(limit === Number.POSITIVE_INFINITY ? undefined : limit - delivered);
      }
    });
    await fc.assert(property, { numRuns: 500 });
  });

  it("tells how far it is after every second read that brought nothing", async () => {
    const reads = Array.from({ length: 7 }, () => ({ sizes: [], leftOut: 2 }));
    const pages = await cut(reads, 5, 5);
    expect(pages).toEqual([
      { entries: [], next: { after: keyOf(4), remaining: 5 } },
      { entries: [], next: { after: keyOf(8), remaining: 5 } },
      { entries: [], next: { after: keyOf(12), remaining: 5 } },
      { entries: [], next: undefined },
    ]);
  });

  it("sends nothing where nothing was read", async () => {
    expect(await cut([{ sizes: [], leftOut: 0 }], 5, 5)).toEqual([]);
  });
});

describe("takeMatches", () => {
  it("empties the list, and answers what matches in its order", async () => {
    const rows = [1, 2, 3, 4];
    expect(await takeMatches(rows, (row) => row % 2 === 0, undefined)).toEqual([2, 4]);
    expect(rows).toEqual([]);
  });

  it("gives other work its turn, however long a row takes, and ends when its caller leaves", async () => {
    const caller = new AbortController();
    const reason = new Error("the caller left");
    let turns = 0;
    const others = async () => {
      for (; turns < 10; turns += 1) await nextTurn();
      caller.abort(reason);
    };
    const slowly = () => {
      for (const end = performance.now() + 6; performance.now() < end; );
      return true;
    };
    const taking = takeMatches(Array.from({ length: 1000 }), slowly, caller.signal);
    await Promise.all([others(), expect(taking).rejects.toBe(reason)]);
  });
});
