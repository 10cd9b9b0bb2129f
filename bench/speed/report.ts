// The result as a table for a person.

import type { Outcome, Row, Spread, Verdict } from "./outcome.ts";

const columns = [22, 24, 26, 20, 8, 10, 12] as const;

/** The heads of the columns of formatOutcome. */
export const head = formatCells([
  "contestant",
  "per second (min–max)",
  "of the base (min–max)",
  "load",
  "µs each",
  "MiB (most)",
  "target",
]);

/** What the columns mean. */
export const legend = `per second, of the base: the middle of the rounds, the least and the most; ratios are of the same round
µs each: processor time of the contestant's own process, without the load generator and Postgres
MiB: resident memory in its turns, and the most since the process began`;

/** A measurement as lines in columns. */
export function formatOutcome({ title, unit, base, rows }: Outcome): string {
  return [`${title} (${unit}; base: ${base})`, ...rows.map(formatRow)].join("\n");
}

function formatRow(row: Row): string {
  return formatCells([
    `  ${row.contestant}`,
    formatSpread(row.rate, 0),
    formatSpread(row.ratio, 2),
    row.load,
    row.processorMicros.toFixed(row.processorMicros < 10 ? 1 : 0),
    `${row.residentMib.toFixed(0)} (${row.highWaterMib.toFixed(0)})`,
    row.verdicts.map(formatVerdict).join(", "),
  ]);
}

function formatSpread({ median, min, max }: Spread, digits: number): string {
  const [middle, least, most] = [median, min, max].map((value) => value.toFixed(digits));
  return `${middle} (${least}–${most})`;
}

function formatVerdict(verdict: Verdict): string {
  const outcome = verdict.isMet ? "met" : "MISSED";
  if (verdict.kind === "ratio") return `>= ${verdict.min}: ${outcome}`;
  return `< ${verdict.maxMs} ms: ${outcome}, slowest ${verdict.reached.toFixed(1)} ms`;
}

function formatCells(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(columns[index] ?? 0))
    .join("  ")
    .trimEnd();
}
