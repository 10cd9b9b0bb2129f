// The words of the benchmark: contestants of a comparison take turns in slices of a second or two, round after round,
// and what counts is the ratio of two slices of the same round. So a machine that is busy at times is busy for both.

import { readProcessorSeconds, watchMemory } from "../process-status.ts";

/** What a contestant did in its slice of time. */
export interface Slice {
  /** Calls, or versions of a listing. */
  readonly units: number;
  readonly seconds: number;
  /** The slowest call, where each was timed. */
  readonly slowestMs?: number;
}

/** One way of doing the work, on a process that it keeps busy. */
export interface Contestant {
  readonly name: string;
  /** What makes the load, in words for the table. */
  readonly load: string;
  /** The process whose processor time and memory count. */
  readonly pid: number;
  readonly run: () => Promise<Slice>;
}

/** A slice, and what it cost the process. */
export interface Turn extends Slice {
  readonly processorSeconds: number;
  readonly residentMib: number;
  /** The most the process has had since it began. */
  readonly highWaterMib: number;
}

/** The turns of one contestant, a turn for each round. */
export interface Result {
  readonly contestant: Contestant;
  readonly turns: readonly Turn[];
}

/** Lets the contestants take turns, in every second round from the last to the first; a turn before counts nothing. */
export async function playRounds(contestants: readonly Contestant[], rounds: number): Promise<Result[]> {
  for (const { run } of contestants) await run();
  const results = contestants.map((contestant) => ({ contestant, turns: [] as Turn[] }));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? results : results.toReversed();
    for (const { contestant, turns } of order) turns.push(await takeTurn(contestant));
  }
  return results;
}

async function takeTurn({ name, pid, run }: Contestant): Promise<Turn> {
  const slices: Slice[] = [];
  const before = readProcessorSeconds(pid);
  const memory = await watchMemory(pid, async () => void slices.push(await run()));
  const processorSeconds = readProcessorSeconds(pid) - before;
  const [slice] = slices;
  if (slice === undefined || slice.units === 0) throw new Error(`${name} did nothing in its slice`);
  return { ...slice, processorSeconds, residentMib: memory.sampled, highWaterMib: memory.highWater };
}
