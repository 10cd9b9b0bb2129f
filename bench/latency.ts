import { setTimeout as sleep } from "node:timers/promises";
import { View } from "../gen/stele/v1/model_registry_service_pb.ts";
import { aboutEqual, below, type Figure } from "./figure.ts";
import { RawClient, type VersionsRequest } from "./raw-client.ts";
import { median } from "./statistics.ts";
import { type Bench, bigModel, startService } from "./workload.ts";

const listings: readonly (readonly [name: string, request: VersionsRequest])[] = [
  ["whole model", {}],
  ["range ^5", { range: "^5" }],
  ["view BASIC", { view: View.BASIC }],
  ["filter that all fulfil", { filter: 'metadata.metrics["accuracy"] >= 0.5' }],
];

const MAX_FIRST_MESSAGE_MS = 50;

/** In this time a listing that was left has ended in the service and in the database. */
const SETTLE_MS = 20;

/** How long a caller waits for the first message of a listing, the very first calls of a service included. */
export async function measureFirstMessage(bench: Bench): Promise<Figure[]> {
  await using service = await startService(bench);
  using client = new RawClient(service.address);
  await client.ready();
  const { model } = bigModel(bench.scale);
  const figures: Figure[] = [];
  for (const [name, request] of listings) {
    const times: number[] = [];
    for (let call = 0; call < bench.scale.calls; call += 1) {
      times.push(await timeToEntries(client, { model, ...request }, 1));
      await sleep(SETTLE_MS);
    }
    const slowest = Math.max(...times);
    figures.push({
      name: `first message, ${name}`,
      value: `p50 ${median(times).toFixed(1)} ms, max ${slowest.toFixed(1)} ms, the first call ${times[0]?.toFixed(1)} ms`,
      target: below(MAX_FIRST_MESSAGE_MS, slowest, "ms"),
    });
  }
  return figures;
}

const PAGE = 500;
/** So much is left after the token that the service reads ahead as it does at the beginning. */
const REST = 5_000;

/** How long 500 versions take at the beginning of a listing and, resumed by a token, at its end; in turns. */
export async function measureDeepPage(bench: Bench): Promise<Figure[]> {
  const { model, versions } = bigModel(bench.scale);
  await using service = await startService(bench);
  using client = new RawClient(service.address);
  const pageToken = await findToken(client, model, Math.max(versions - REST, versions / 2));
  const first: number[] = [];
  const deep: number[] = [];
  for (let call = 0; call < bench.scale.calls; call += 1) {
    first.push(await timeToEntries(client, { model }, PAGE));
    await sleep(SETTLE_MS);
    deep.push(await timeToEntries(client, { model, pageToken }, PAGE));
    await sleep(SETTLE_MS);
  }
  const ratio = median(deep) / median(first);
  const value = `p50 ${median(deep).toFixed(1)} ms, first ${median(first).toFixed(1)} ms, ratio ${ratio.toFixed(2)}`;
  return [{ name: `${PAGE} versions by token, ${REST} before the end`, value, target: aboutEqual(ratio) }];
}

/** The last token of a listing that goes on after at most so many versions. */
async function findToken(client: RawClient, model: string, maxPassed: number): Promise<string> {
  let passed = 0;
  let token = "";
  for await (const { entries, nextPageToken } of client.listVersions({ model })) {
    passed += entries;
    if (passed > maxPassed) break;
    token = nextPageToken;
  }
  return token;
}

/** Milliseconds from the call to the message that brings the given number of entries. */
async function timeToEntries(client: RawClient, request: VersionsRequest, wanted: number): Promise<number> {
  const startedAt = performance.now();
  let count = 0;
  for await (const { entries } of client.listVersions(request)) {
    count += entries;
    if (count >= wanted) return performance.now() - startedAt;
  }
  throw new Error(`the listing ended after ${count} of ${wanted} entries`);
}
