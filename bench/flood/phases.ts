// The phases of a run, in turns: quiet, flood, quiet, flood. What a phase measures begins when things have settled.

import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProcess } from "../../test/support/service-process.ts";
import type { ChildProgram } from "../child-program.ts";
import { readProcessorSeconds, watchMemory } from "../process-status.ts";
import type { FloodAnswers } from "./flooder.ts";
import { countSockets } from "./sockets.ts";
import type { CallTimes, TrafficAnswers } from "./traffic.ts";

/** The processes of a run. */
export interface Processes {
  readonly service: ServiceProcess;
  readonly traffic: ChildProgram<TrafficAnswers>;
  readonly flood: ChildProgram<FloodAnswers>;
}

/** What a phase measured. */
export interface Phase {
  readonly times: CallTimes;
  /** The most resident memory of the service. */
  readonly memoryMib: number;
  /** The processor time of each process, in seconds a second. */
  readonly processors: Readonly<Record<keyof Processes, number>>;
  /** Sockets of the service at the end, those to its database among them. */
  readonly sockets: number;
}

/** Two phases, one after the other. */
export interface Pair {
  readonly quiet: Phase;
  readonly flooded: Phase;
  readonly counts: FloodAnswers["count"];
}

const SETTLE_MS = 1_000;

/** Measures a quiet phase and one in the flood. */
export async function measurePair(processes: Processes, seconds: number): Promise<Pair> {
  const quiet = await measurePhase(processes, seconds);
  await processes.flood.ask("start");
  const flooded = await measurePhase(processes, seconds);
  const counts = await processes.flood.ask("count");
  await processes.flood.ask("stop");
  return { quiet, flooded, counts };
}

async function measurePhase(processes: Processes, seconds: number): Promise<Phase> {
  const { service, traffic } = processes;
  await sleep(SETTLE_MS);
  await traffic.ask("begin");
  const startedAt = performance.now();
  const before = readProcessors(processes);
  const memory = await watchMemory(service.pid, async () => await sleep(seconds * 1_000));
  const after = readProcessors(processes);
  const elapsed = (performance.now() - startedAt) / 1_000;
  const share = (name: keyof Processes) => (after[name] - before[name]) / elapsed;
  return {
    times: await traffic.ask("times"),
    memoryMib: memory.sampled,
    processors: { service: share("service"), traffic: share("traffic"), flood: share("flood") },
    sockets: countSockets(service.pid),
  };
}

function readProcessors({ service, traffic, flood }: Processes): Record<keyof Processes, number> {
  return {
    service: readProcessorSeconds(service.pid),
    traffic: readProcessorSeconds(traffic.pid),
    flood: readProcessorSeconds(flood.pid),
  };
}
