// How much memory the service takes, each time a fresh one, so that what the kernel remembers is of one workload.

import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ModelRegistryServiceDefinition } from "../gen/stele/v1/model_registry_service_grpc.ts";
import { ListVersionsRequestSchema } from "../gen/stele/v1/model_registry_service_pb.ts";
import { openRawCall } from "../test/support/raw-call.ts";
import { below, type Figure } from "./figure.ts";
import { type MemoryPeak, watchMemory } from "./process-status.ts";
import { RawClient, readAll } from "./raw-client.ts";
import { type ModelPlan, versionAt } from "./rows.ts";
import { percentile } from "./statistics.ts";
import { type Bench, bigModel, startService, wideModel } from "./workload.ts";

const MAX_MIB = 200;
const IDLE_MS = 1_000;
/** A reader begins by filling its buffer of sixteen messages. */
const OPENING_SECONDS = 2;

/** The memory of a service that has nothing to do. */
export async function measureIdle(bench: Bench): Promise<Figure[]> {
  return [await measureMemory(bench, "idle", async () => await sleep(IDLE_MS))];
}

/** The memory while one client reads a whole model as fast as it can. */
export async function measureFastStream(bench: Bench): Promise<Figure[]> {
  const { model } = bigModel(bench.scale);
  const work = async (address: string) => {
    using client = new RawClient(address);
    await readAll(client.listVersions({ model }));
  };
  return [await measureMemory(bench, "one fast reader of a whole model", work)];
}

/** The memory while one client reads a message each 5 ms. */
export async function measureSlowReader(bench: Bench): Promise<Figure[]> {
  const reader = { ...bigModel(bench.scale), pauseMs: 5, seconds: bench.scale.slowSeconds };
  const work = async (address: string) => await readSlowly(address, reader);
  return [await measureMemory(bench, "one reader of a message each 5 ms", work)];
}

/** The memory with many slow readers, and what these cost other callers. */
export async function measureSlowReaders(bench: Bench): Promise<Figure[]> {
  const { readers, slowSeconds: seconds } = bench.scale;
  const plan = bigModel(bench.scale);
  const reader = { ...plan, pauseMs: 500, seconds: seconds + OPENING_SECONDS };
  const figures: Figure[] = [];
  const probe = async (address: string, name: string, forSeconds: number) => {
    figures.push({
      name: `GetVersion at 200/s, ${name}`,
      value: describeTimes(await getVersions(address, plan, forSeconds)),
    });
  };
  const memory = await measureMemory(bench, `${readers} readers of a message each 500 ms`, async (address) => {
    await probe(address, "alone", seconds);
    const reading = Promise.all(Array.from({ length: readers }, () => readSlowly(address, reader)));
    await probe(address, "while these all begin at once", OPENING_SECONDS);
    await probe(address, "beside these", seconds);
    await reading;
  });
  return [memory, ...figures];
}

/** The memory with many readers of the largest records who pause 50 ms after each. */
export async function measureWideReaders(bench: Bench): Promise<Figure[]> {
  const { readers, wideSeconds: seconds } = bench.scale;
  const reader = { ...wideModel(bench.scale), pauseMs: 50, seconds };
  const work = async (address: string) => {
    await Promise.all(Array.from({ length: readers }, () => readSlowly(address, reader)));
  };
  return [await measureMemory(bench, `${readers} readers of 1 MiB each 50 ms`, work)];
}

/** The memory with many callers who never read what they asked for: the largest records. */
export async function measureStuckReaders(bench: Bench): Promise<Figure[]> {
  const { readers, wideSeconds } = bench.scale;
  const { path, requestSerialize } = ModelRegistryServiceDefinition.listVersions;
  const message = requestSerialize(create(ListVersionsRequestSchema, { model: wideModel(bench.scale).model }));
  const work = async (address: string) => {
    await using calls = new AsyncDisposableStack();
    // A client of grpc-js would read everything, until it is asked for a first message.
    for (let reader = 0; reader < readers; reader += 1) {
      calls.use(openRawCall(address, path, { message })).stream.end();
    }
    await sleep(wideSeconds * 1000);
  };
  return [await measureMemory(bench, `${readers} callers for 1 MiB records who never read`, work)];
}

async function measureMemory(bench: Bench, name: string, work: (address: string) => Promise<void>): Promise<Figure> {
  await using service = await startService(bench);
  const peak = await watchMemory(service.pid, async () => await work(service.address));
  return { name: `resident, ${name}`, value: describePeak(peak), target: below(MAX_MIB, peak.highWater, "MiB") };
}

function describePeak({ sampled, anonymous, highWater }: MemoryPeak): string {
  const mib = (size: number) => `${Math.round(size)} MiB`;
  return `VmHWM ${mib(highWater)}, VmRSS ${mib(sampled)}, of it anonymous ${mib(anonymous)}`;
}

interface SlowReader extends ModelPlan {
  readonly pauseMs: number;
  readonly seconds: number;
}

/** Reads a listing on a connection of its own, with about that pause after each message, for so many seconds. */
async function readSlowly(address: string, { model, pauseMs, seconds }: SlowReader): Promise<void> {
  using client = new RawClient(address);
  const end = performance.now() + seconds * 1000;
  for await (const _ of client.listVersions({ model })) {
    if (performance.now() > end) return;
    // Readers who began at once drift apart.
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

const PERIOD_MS = 5;

/** Reads versions at 200 a second, whether the answers come or not, and answers how many milliseconds each took. */
async function getVersions(address: string, plan: ModelPlan, seconds: number): Promise<number[]> {
  using client = new RawClient(address);
  await client.ready();
  const times: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let call = 0; call * PERIOD_MS < seconds * 1000; call += 1) {
    await sleep(Math.max(0, startedAt + call * PERIOD_MS - performance.now()));
    times.push(timeGetVersion(client, plan, call));
  }
  return await Promise.all(times);
}

async function timeGetVersion(client: RawClient, plan: ModelPlan, call: number): Promise<number> {
  const version = versionAt(plan, (call * 7919) % plan.versions);
  const startedAt = performance.now();
  await client.getVersion(plan.model, version);
  return performance.now() - startedAt;
}

function describeTimes(times: readonly number[]): string {
  return `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`;
}
