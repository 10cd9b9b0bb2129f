import type { Call, History } from "./history.ts";

/** The calls by kind and outcome, a line each. */
export function countCalls(calls: readonly Call[]): string[] {
  const groups = Map.groupBy(calls, (call) => `${call.kind.padEnd(10)} ${nameOf(call)}`);
  return [...groups]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, { length }]) => `${String(length).padStart(8)}  ${name}`);
}

/** How long the calls took together, and how many ended in a second. */
export function describeRate({ calls, rows }: History): string {
  const startedAt = calls.reduce((first, call) => Math.min(first, call.startedAt), Number.POSITIVE_INFINITY);
  const endedAt = calls.reduce((last, call) => Math.max(last, call.endedAt), 0);
  const seconds = Math.max(0, endedAt - startedAt) / 1000;
  const acknowledged = calls.filter(isAcknowledged).length;
  const rate = seconds === 0 ? 0 : Math.round(calls.length / seconds);
  return `${calls.length} calls in ${seconds.toFixed(1)} s (${rate}/s), ${acknowledged} acknowledged, ${rows.length} versions stored`;
}

/** Whether the call was told that its version is stored. */
export function isAcknowledged({ outcome, validateOnly }: Call): boolean {
  return outcome.kind === "ok" && validateOnly !== true;
}

function nameOf({ outcome }: Call): string {
  if (outcome.kind === "ok") return "OK";
  const { code, reason, metadata } = outcome;
  const identical = metadata["identical"] === undefined ? "" : `, identical ${metadata["identical"]}`;
  return reason === undefined ? `${code} (no ErrorInfo)` : `${code} ${reason}${identical}`;
}
