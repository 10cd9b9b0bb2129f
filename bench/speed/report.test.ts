import { expect, test } from "vitest";
import type { Row } from "./outcome.ts";
import { formatOutcome, head } from "./report.ts";

const row: Row = {
  contestant: "stele",
  load: "h2load -c 4 -m 16",
  rate: { median: 14_298.4, min: 9_643.6, max: 19_210 },
  ratio: { median: 0.774, min: 0.41, max: 0.93 },
  processorMicros: 88.6,
  residentMib: 196.4,
  highWaterMib: 201.3,
  slowestMs: 61.23,
  verdicts: [{ kind: "ratio", contestant: "stele", min: 0.7, reached: 0.774, isMet: true }],
};

const late: Row = {
  ...row,
  processorMicros: 4.14,
  verdicts: [{ kind: "time", contestant: "stele", maxMs: 50, reached: 61.23, isMet: false }],
};

test("a measurement is a title and a line for each contestant, under the heads", () => {
  const outcome = { name: "get", title: "GetVersion", unit: "calls", base: "bare server", rows: [row, late] };
  expect(`${head}\n${formatOutcome(outcome)}`.split("\n")).toEqual([
    "contestant              per second (min–max)      of the base (min–max)       load                  µs each   MiB (most)  target",
    "GetVersion (calls; base: bare server)",
    "  stele                 14298 (9644–19210)        0.77 (0.41–0.93)            h2load -c 4 -m 16     89        196 (201)   >= 0.7: met",
    "  stele                 14298 (9644–19210)        0.77 (0.41–0.93)            h2load -c 4 -m 16     4.1       196 (201)   < 50 ms: MISSED, slowest 61.2 ms",
  ]);
});
