import fc from "fast-check";
import { expect, it } from "vitest";
import { CallDurations } from "./call-durations.ts";

it("counts each call once, in the bucket that it fits into", () => {
  const seconds = fc.oneof(
    fc.double({ min: 0, max: 20, noNaN: true }),
    fc.constantFrom(...new CallDurations().boundaries),
  );
  fc.assert(
    fc.property(fc.array(seconds, { minLength: 1 }), (values) => {
      const durations = new CallDurations();
      for (const value of values) durations.record("s/M", "OK", value);
      const [series] = durations.series;
      const limits = [...durations.boundaries, Infinity];
      const expected = limits.map((limit, index) => {
        const before = limits[index - 1] ?? -Infinity;
        return values.filter((value) => value > before && value <= limit).length;
      });
      expect(series?.counts).toEqual(expected);
      expect(series?.count).toBe(values.length);
      expect(series?.sum).toBeCloseTo(values.reduce((sum, value) => sum + value, 0));
    }),
  );
});

it("keeps methods and statuses apart", () => {
  const durations = new CallDurations();
  for (const [method, status] of [
    ["s/A", "OK"],
    ["s/B", "OK"],
    ["s/A", "NOT_FOUND"],
    ["s/A", "OK"],
  ] as const) {
    durations.record(method, status, 1);
  }
  expect(durations.series.map(({ method, status, count }) => [method, status, count])).toEqual([
    ["s/A", "OK", 2],
    ["s/A", "NOT_FOUND", 1],
    ["s/B", "OK", 1],
  ]);
});
