// What the pairs of a run say, in lines for a person.

import type { Figure } from "../figure.ts";
import { median, percentile } from "../statistics.ts";
import type { KindCounts } from "./flooder.ts";
import { type KindName, type KindNumbers, kindNames } from "./kinds.ts";
import type { Pair, Phase } from "./phases.ts";
import type { CallTimes } from "./traffic.ts";

/** The kinds of calls, as a person calls them, and whether the design has a target for their median. */
const calls = {
  get: { title: "GetVersion", hasTarget: true },
  connect: { title: "GetVersion over a new connection", hasTarget: true },
  list: { title: "ListVersions, limit 50", hasTarget: false },
  register: { title: "RegisterVersion", hasTarget: false },
} as const satisfies Record<keyof CallTimes, unknown>;

const callNames = Object.keys(calls) as (keyof CallTimes)[]; // Their type says string.

/** A phase in a line. */
export function describePhase(name: string, { times, memoryMib, processors, sockets }: Phase): string {
  const used = Object.entries(processors).map(([process, share]) => `${process} ${share.toFixed(2)}`);
  return `${name.padEnd(7)}  GetVersion ${describeTimes(times.get)}; new connection ${describeTimes(times.connect)}; \
${Math.round(memoryMib)} MiB, processors: ${used.join(", ")}; ${sockets} sockets`;
}

function describeTimes(times: readonly number[]): string {
  const [p50, p99] = [0.5, 0.99].map((part) => formatTime(timeAt(times, part)));
  return `p50 ${p50}, p99 ${p99} (${times.length})`;
}

/** NaN where no call succeeded, which fulfils no target. */
function timeAt(times: readonly number[], part: number): number {
  return times.length === 0 ? Number.NaN : percentile(times, part);
}

function formatTime(timeMs: number): string {
  return Number.isNaN(timeMs) ? "none" : `${timeMs.toFixed(1)} ms`;
}

/** The figures of a run: for each kind of call the ratio of the flood's times to the quiet ones, and what both cost. */
export function makeFigures(pairs: readonly Pair[], maxRatio: number): Figure[] {
  return [
    ...callNames.flatMap((name) => [compareTimes(pairs, name, 0.5, maxRatio), compareTimes(pairs, name, 0.99)]),
    compare(pairs, "resident memory of the service, MiB", ({ memoryMib }) => memoryMib, 0),
    compare(pairs.slice(0, 1), "the same in the first pair, MiB", ({ memoryMib }) => memoryMib, 0),
    compare(pairs, "processors in use, service", ({ processors }) => processors.service, 2),
    compare(pairs, "processors in use, normal traffic", ({ processors }) => processors.traffic, 2),
    compare(pairs, "processors in use, flood", ({ processors }) => processors.flood, 2),
    compare(pairs, "sockets of the service", ({ sockets }) => sockets, 0),
  ];
}

function compareTimes(pairs: readonly Pair[], name: keyof CallTimes, part: number, maxRatio?: number): Figure {
  const { title, hasTarget } = calls[name];
  const { quiet, flooded } = middles(pairs, ({ times }) => timeAt(times[name], part));
  const ratio = flooded / quiet;
  const figure = {
    name: `${title}, p${part * 100}`,
    value: `quiet ${formatTime(quiet)}, flood ${formatTime(flooded)}, ratio ${ratio.toFixed(2)}`,
  };
  if (maxRatio === undefined || !hasTarget) return figure;
  return { ...figure, target: { text: `<= ${maxRatio}`, isMet: ratio <= maxRatio } };
}

function compare(pairs: readonly Pair[], name: string, read: (phase: Phase) => number, digits: number): Figure {
  const { quiet, flooded } = middles(pairs, read);
  return { name, value: `quiet ${quiet.toFixed(digits)}, flood ${flooded.toFixed(digits)}` };
}

/** The value in the middle of the quiet phases, and of those in the flood. */
function middles(pairs: readonly Pair[], read: (phase: Phase) => number): { quiet: number; flooded: number } {
  return {
    quiet: median(pairs.map(({ quiet }) => read(quiet))),
    flooded: median(pairs.map(({ flooded }) => read(flooded))),
  };
}

const columns = {
  open: "open",
  opened: "opened",
  turnedAway: "turned away",
  closed: "closed",
  callsEnded: "calls ended",
} as const satisfies Record<keyof KindCounts, string>;

const columnNames = Object.keys(columns) as (keyof KindCounts)[]; // Their type says string.

/** A table of what became of the connections of the flood. */
export function describeCounts(numbers: KindNumbers, counts: Readonly<Record<KindName, KindCounts>>): string {
  const head = formatRow("flood", ["wanted", ...Object.values(columns)]);
  const rows = kindNames.map((name) =>
    formatRow(name, [numbers[name], ...columnNames.map((column) => counts[name][column])]),
  );
  return [head, ...rows, legend].join("\n");
}

const legend = `open: at the end of the last flood; the others: of all floods. Turned away: closed by the service without a
word; closed: after it had taken them; calls ended: by the service, with an answer or without.`;

function formatRow(name: string, cells: readonly (string | number)[]): string {
  return [name.padEnd(14), ...cells.map((cell) => String(cell).padStart(11))].join("  ");
}

/** What failed of the normal traffic, each failure once. */
export function describeFailures(failures: readonly string[]): string {
  if (failures.length === 0) return "Every call of the normal traffic succeeded.";
  const numbers = new Map<string, number>();
  for (const failure of failures) numbers.set(failure, (numbers.get(failure) ?? 0) + 1);
  const lines = [...numbers].slice(0, MAX_FAILURES).map(([failure, number]) => `  ${number} times ${failure}`);
  return [`${failures.length} calls of the normal traffic failed:`, ...lines].join("\n");
}

const MAX_FAILURES = 10;
