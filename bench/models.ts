import { below, type Figure } from "./figure.ts";
import { RawClient, readAll } from "./raw-client.ts";
import type { ModelPlan } from "./rows.ts";
import { median } from "./statistics.ts";
import { type Bench, manyModels, type Scale, startService } from "./workload.ts";

const VERSIONS = 1_000;
const deep = "many-versions";
const flat = "one-version";

/** Models of a thousand versions, and as many of one. */
export function planModels(scale: Scale): ModelPlan[] {
  return [...manyModels(scale, deep, VERSIONS), ...manyModels(scale, flat, 1)];
}

/** How long listing the models of a thousand versions takes, against those of one; in turns. A deeper index is allowed. */
export async function measureModels(bench: Bench): Promise<Figure[]> {
  const { models, calls } = bench.scale;
  await using service = await startService(bench);
  using client = new RawClient(service.address);
  const times: Record<typeof deep | typeof flat, number[]> = { [deep]: [], [flat]: [] };
  for (let call = 0; call < calls; call += 1) {
    for (const prefix of [deep, flat] as const) times[prefix].push(await timeModels(client, prefix, models));
  }
  const ratio = median(times[deep]) / median(times[flat]);
  return [
    { name: `ListModels, ${models} models of 1 version`, value: describe(times[flat]) },
    { name: `ListModels, ${models} models of ${VERSIONS} versions`, value: describe(times[deep]) },
    { name: "ListModels, many versions against one", value: ratio.toFixed(2), target: below(3, ratio) },
  ];
}

async function timeModels(client: RawClient, prefix: string, expected: number): Promise<number> {
  const startedAt = performance.now();
  const count = await readAll(client.listModels(prefix));
  if (count !== expected) throw new Error(`${expected} models begin with ${prefix}, and ${count} were delivered`);
  return performance.now() - startedAt;
}

function describe(times: readonly number[]): string {
  return `p50 ${(median(times) / 1000).toFixed(4)} s`;
}
