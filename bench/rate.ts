import { everyKey } from "../src/domain/version-range.ts";
import { NEXT_READS } from "../src/registry/version-scan.ts";
import { listPage } from "../src/store/version-pages.ts";
import type { Figure } from "./figure.ts";
import { readProcessorSeconds } from "./process-status.ts";
import { countEntries, RawClient } from "./raw-client.ts";
import type { ModelPlan } from "./rows.ts";
import { median } from "./statistics.ts";
import { type Bench, bigModel, startService } from "./workload.ts";

/** How fast a whole model streams, against how fast the same pages come from Postgres; one after the other, in turns. */
export async function measureRate(bench: Bench): Promise<Figure[]> {
  const plan = bigModel(bench.scale);
  await using service = await startService(bench);
  using client = new RawClient(service.address);
  const streams: number[] = [];
  const reads: number[] = [];
  const processor = { service: readProcessorSeconds(service.pid), client: 0 };
  for (let round = 0; round < bench.scale.rounds; round += 1) {
    const before = readProcessorSeconds(process.pid);
    streams.push(await timed(plan, async () => await countEntries(client.listVersions({ model: plan.model }))));
    processor.client += readProcessorSeconds(process.pid) - before;
    reads.push(await timed(plan, async () => await readAll(bench, plan)));
  }
  processor.service = readProcessorSeconds(service.pid) - processor.service;
  const ratio = median(reads) / median(streams);
  const perStream = (seconds: number) => (seconds / bench.scale.rounds).toFixed(2);
  return [
    { name: `stream of ${plan.versions} versions`, value: describe(plan, streams) },
    { name: "same pages from Postgres, no gRPC", value: describe(plan, reads) },
    {
      name: "stream against Postgres alone",
      value: ratio.toFixed(2),
      target: { text: ">= 0.6", isMet: ratio >= 0.6 },
    },
    {
      name: "processor time of a stream",
      value: `service ${perStream(processor.service)} s, client ${perStream(processor.client)} s`,
    },
  ];
}

async function readAll({ database }: Bench, { model }: ModelPlan): Promise<number> {
  // The service's reads can be cancelled; so can these, to be the same.
  const { signal } = new AbortController();
  const query = { model, direction: "descending", columns: "record", ...NEXT_READS } as const;
  let count = 0;
  for (let { from, to } = everyKey; ; ) {
    const page = await listPage(database, { ...query, interval: { from, to, prereleases: true } }, signal);
    const last = page.rows.at(-1);
    count += page.rows.length;
    if (page.isLast || last === undefined) return count;
    to = last.precedence;
  }
}

/** How many seconds it takes to count the versions of the plan. */
async function timed({ model, versions }: ModelPlan, count: () => Promise<number>): Promise<number> {
  const startedAt = performance.now();
  const counted = await count();
  const seconds = (performance.now() - startedAt) / 1000;
  if (counted !== versions) throw new Error(`${model} has ${versions} versions, and ${counted} were delivered`);
  return seconds;
}

function describe({ versions }: ModelPlan, seconds: readonly number[]): string {
  const all = seconds.map((each) => each.toFixed(2)).join(", ");
  return `${Math.round(versions / median(seconds))} versions/s, ${median(seconds).toFixed(2)} s (${all})`;
}
