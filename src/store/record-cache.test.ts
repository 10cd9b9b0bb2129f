import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../domain/model-name.ts";
import { parseKnownVersion } from "../domain/version.ts";
import { RecordCache } from "./record-cache.ts";

const model = "vision/resnet-50" as ModelName; // A valid name.
const key = (text: string) => ({ model, version: parseKnownVersion(text) });

function cacheOf(maxBytes = 1024 * 1024): RecordCache {
  const cache = new RecordCache(maxBytes);
  cache.follow("one");
  return cache;
}

describe("a record cache", () => {
  it("answers what was kept, under its number alone, whatever build metadata it has", () => {
    const cache = cacheOf();
    cache.keeper()(key("1.0.0-rc.1+build.5"), Buffer.from("record"));
    expect(cache.get(model, "1.0.0-rc.1")).toEqual({ model, record: new Uint8Array(Buffer.from("record")) });
    for (const text of ["1.0.0-rc.1+build.5", "1.0.0", "v1.0.0-rc.1", ""])
      expect(cache.get(model, text)).toBeUndefined();
    expect(cache.get("vision", "1.0.0-rc.1")).toBeUndefined();
  });

  it("keeps a copy of its own, not the buffer that the record came in", () => {
    const cache = cacheOf();
    const slab = Buffer.alloc(8192, "a");
    cache.keeper()(key("1.0.0"), slab.subarray(10, 20));
    slab.fill("b");
    const record = cache.get(model, "1.0.0")?.record;
    expect(record?.buffer.byteLength).toBe(10);
    expect(Buffer.from(record ?? []).toString()).toBe("a".repeat(10));
  });

  it("drops everything when the history is another", () => {
    const cache = cacheOf();
    cache.keeper()(key("1.0.0"), Buffer.from("record"));
    cache.follow("one");
    expect(cache.get(model, "1.0.0")).toBeDefined();
    cache.follow("two");
    expect(cache.get(model, "1.0.0")).toBeUndefined();
  });

  it("keeps nothing that was read in another history, also when that is back", () => {
    const cache = cacheOf();
    const keep = cache.keeper();
    cache.follow("two");
    keep(key("1.0.0"), Buffer.from("record"));
    expect(cache.get(model, "1.0.0")).toBeUndefined();
    cache.follow("one");
    keep(key("1.0.0"), Buffer.from("record"));
    expect(cache.get(model, "1.0.0")).toBeUndefined();
  });

  it.each([
    ["before the history is known", new RecordCache(1024 * 1024)],
    ["without room", cacheOf(0)],
  ])("keeps nothing %s", (_, cache) => {
    cache.keeper()(key("1.0.0"), Buffer.from("record"));
    expect(cache.get(model, "1.0.0")).toBeUndefined();
  });

  it("keeps nothing while the history is unknown", () => {
    const cache = cacheOf();
    cache.keeper()(key("1.0.0"), Buffer.from("record"));
    cache.follow(undefined);
    cache.keeper()(key("1.1.0"), Buffer.from("record"));
    expect([cache.get(model, "1.0.0"), cache.get(model, "1.1.0")]).toEqual([undefined, undefined]);
  });

  it("counts what an entry costs beside its record, its names above all", () => {
    const cache = cacheOf(100_000);
    const long = "m".repeat(255) as ModelName; // A valid name.
    for (let patch = 0; patch < 1000; patch += 1) {
      cache.keeper()({ model: long, version: parseKnownVersion(`1.0.${patch}`) }, new Uint8Array());
    }
    const kept = Array.from({ length: 1000 }, (_, patch) => cache.get(long, `1.0.${patch}`)).filter(Boolean);
    expect(kept.length).toBeGreaterThan(50);
    expect(kept.length).toBeLessThan(100_000 / (2 * 255 + 400));
  });

  it("holds no more bytes than it may, and the records used last", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(sizes, (all) => {
        const maxBytes = 40_000;
        const cache = cacheOf(maxBytes);
        for (const [minor, size] of all.entries()) cache.keeper()(key(`1.${minor}.0`), Buffer.alloc(size));
        const kept = all.filter((_, minor) => cache.get(model, `1.${minor}.0`) !== undefined);
        expect(kept.reduce((sum, size) => sum + size + model.length, 0)).toBeLessThanOrEqual(maxBytes);
        expect(cache.get(model, `1.${all.length - 1}.0`)?.record.length).toBe(all.at(-1));
      }),
    );
  });
});
