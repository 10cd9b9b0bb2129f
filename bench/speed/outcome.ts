// What the turns of a comparison say.

import { median } from "../statistics.ts";
import type { Result, Turn } from "./contest.ts";
import type { Measurement, Target } from "./measurement.ts";

/** The middle of some values, and how far they go. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A target, and what was reached. */
export type Verdict = Target & { readonly reached: number; readonly isMet: boolean };

/** A line of the table. */
export interface Row {
  readonly contestant: string;
  readonly load: string;
  /** Units a second. */
  readonly rate: Spread;
  /** Of the rate to that of the base, both of one round. */
  readonly ratio: Spread;
  /** Processor time of the process for each unit. */
  readonly processorMicros: number;
  readonly residentMib: number;
  readonly highWaterMib: number;
  /** The slowest call of a turn, in the middle of the turns. */
  readonly slowestMs: number | undefined;
  readonly verdicts: readonly Verdict[];
}

/** What became of a measurement. */
export interface Outcome {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly base: string;
  readonly rows: readonly Row[];
}

/** The middle, the least and the most; there is one value. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Makes the lines of a measurement; throws when none of the results is that of the base. */
export function conclude({ name, title, unit, base, targets }: Measurement, results: readonly Result[]): Outcome {
  const baseTurns = results.find(({ contestant }) => contestant.name === base)?.turns;
  if (baseTurns === undefined) throw new Error(`${name} has no contestant ${base}`);
  const rows = results.map(({ contestant, turns }) => {
    const row = {
      contestant: contestant.name,
      load: contestant.load,
      rate: spreadOf(turns.map(rateOf)),
      ratio: spreadOf(ratiosOf(turns, baseTurns)),
      processorMicros: (sumOf(turns, "processorSeconds") * 1e6) / sumOf(turns, "units"),
      residentMib: median(turns.map(({ residentMib }) => residentMib)),
      highWaterMib: Math.max(...turns.map(({ highWaterMib }) => highWaterMib)),
      slowestMs: slowestOf(turns),
    };
    const own = targets.filter((target) => target.contestant === contestant.name);
    return { ...row, verdicts: own.map((target) => judge(target, row)) };
  });
  return { name, title, unit, base, rows };
}

/** The kernel counts processor time in hundredths of a second, which is little in one turn. */
function sumOf(turns: readonly Turn[], name: "processorSeconds" | "units"): number {
  return turns.reduce((sum, turn) => sum + turn[name], 0);
}

function rateOf({ units, seconds }: Turn): number {
  return units / seconds;
}

function ratiosOf(turns: readonly Turn[], baseTurns: readonly Turn[]): number[] {
  return turns.flatMap((turn, round) => {
    const baseTurn = baseTurns[round];
    return baseTurn === undefined ? [] : [rateOf(turn) / rateOf(baseTurn)];
  });
}

function slowestOf(turns: readonly Turn[]): number | undefined {
  const times = turns.flatMap(({ slowestMs }) => slowestMs ?? []);
  return times.length === 0 ? undefined : median(times);
}

function judge(target: Target, { ratio, slowestMs }: Pick<Row, "ratio" | "slowestMs">): Verdict {
  if (target.kind === "ratio") return { ...target, reached: ratio.median, isMet: ratio.median >= target.min };
  const reached = slowestMs ?? Number.POSITIVE_INFINITY;
  return { ...target, reached, isMet: reached < target.maxMs };
}

/** Under so much of its target a ratio is no noise of a machine any more. */
const ALARMING_PART = 0.5;

/** The ratios that are far under their targets, in words. Times are none of a guard's business: machines differ. */
export function findAlarms(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ name, rows }) =>
    rows.flatMap(({ contestant, verdicts }) =>
      verdicts.flatMap((verdict) => {
        if (verdict.kind !== "ratio" || verdict.reached >= verdict.min * ALARMING_PART) return [];
        return [
          `${name}: ${contestant} reaches ${verdict.reached.toFixed(2)}, under half of its target ${verdict.min}`,
        ];
      }),
    ),
  );
}
