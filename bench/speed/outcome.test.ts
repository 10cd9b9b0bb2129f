import { describe, expect, test } from "vitest";
import type { Contestant, Result, Turn } from "./contest.ts";
import type { Measurement, Target } from "./measurement.ts";
import { conclude, findAlarms, spreadOf } from "./outcome.ts";

function resultOf(name: string, rates: readonly number[], slowestMs?: number): Result {
  const contestant: Contestant = { name, load: "none", pid: 1, run: async () => ({ units: 1, seconds: 1 }) };
  const turns = rates.map((rate): Turn => {
    const cost = { processorSeconds: 0.5, residentMib: 100 + rate, highWaterMib: 200 + rate };
    return { units: rate * 2, seconds: 2, ...cost, ...(slowestMs === undefined ? {} : { slowestMs }) };
  });
  return { contestant, turns };
}

function measurementOf(...targets: readonly Target[]): Measurement {
  const common = { name: "get", title: "Get", unit: "calls", base: "floor", contestants: () => [] } as const;
  return { ...common, targets };
}

const ratio = (min: number): Target => ({ kind: "ratio", contestant: "ours", min });
const time = (maxMs: number): Target => ({ kind: "time", contestant: "ours", maxMs });

describe("spreadOf", () => {
  test("has the middle, the least and the most, whatever the order", () => {
    expect(spreadOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  });
});

describe("conclude", () => {
  test("makes a row of each contestant, with ratios to the base of the same round", () => {
    // The machine is four times as slow in the second round; of the medians the ratio would be 0.6.
    const outcome = conclude(measurementOf(), [resultOf("ours", [50, 20, 90]), resultOf("floor", [100, 25, 90])]);
    const none = { load: "none", slowestMs: undefined, verdicts: [] };
    expect(outcome).toEqual({
      name: "get",
      title: "Get",
      unit: "calls",
      base: "floor",
      rows: [
        {
          ...none,
          contestant: "ours",
          rate: { median: 50, min: 20, max: 90 },
          ratio: { median: 0.8, min: 0.5, max: 1 },
          processorMicros: 1_500_000 / 320,
          residentMib: 150,
          highWaterMib: 290,
        },
        {
          ...none,
          contestant: "floor",
          rate: { median: 90, min: 25, max: 100 },
          ratio: { median: 1, min: 1, max: 1 },
          processorMicros: 1_500_000 / 430,
          residentMib: 190,
          highWaterMib: 300,
        },
      ],
    });
  });

  test.each([
    [ratio(0.7), { reached: 0.7, isMet: true }],
    [ratio(0.71), { reached: 0.7, isMet: false }],
    [time(41), { reached: 40, isMet: true }],
    [time(40), { reached: 40, isMet: false }],
  ])("judges the target %o", (target, verdict) => {
    const results = [resultOf("ours", [70], 40), resultOf("floor", [100], 60)];
    const [ours, floor] = conclude(measurementOf(target), results).rows;
    expect(ours?.verdicts).toEqual([{ ...target, ...verdict }]);
    expect(floor?.verdicts).toEqual([]);
  });

  test("misses a target of time when nothing was timed", () => {
    const [ours] = conclude(measurementOf(time(50)), [resultOf("ours", [1]), resultOf("floor", [1])]).rows;
    expect(ours?.verdicts).toEqual([{ ...time(50), reached: Number.POSITIVE_INFINITY, isMet: false }]);
  });

  test("throws when nobody is the base", () => {
    expect(() => conclude(measurementOf(), [resultOf("ours", [1])])).toThrow("get has no contestant floor");
  });
});

describe("findAlarms", () => {
  function alarmsAt(rate: number, ...targets: readonly Target[]): string[] {
    return findAlarms([conclude(measurementOf(...targets), [resultOf("ours", [rate], 99), resultOf("floor", [100])])]);
  }

  test("tells of a ratio under half of its target", () => {
    expect(alarmsAt(39, ratio(0.8))).toEqual(["get: ours reaches 0.39, under half of its target 0.8"]);
  });

  test.each([40, 60, 80, 120])("says nothing of a ratio of %i %% where the target is 80", (rate) => {
    expect(alarmsAt(rate, ratio(0.8))).toEqual([]);
  });

  test("says nothing of a time that was missed", () => {
    expect(alarmsAt(1, time(50))).toEqual([]);
  });
});
