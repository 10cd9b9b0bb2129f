// Random and damaged input for a running service: messages in calls, header blocks of calls, and bytes on bare
// connections. Whatever comes, the service lives, answers normal calls, ends every call that keeps the rules of HTTP/2
// in time and never with INTERNAL, UNKNOWN or DATA_LOSS, logs nothing alarming, and its memory stays flat. Every input
// is a function of the seed and its number alone; what fails is told with both, and with its bytes.

import { parseArgs } from "node:util";
import { parseCount, runProgram, say, UsageError } from "../../bench/command-line.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { Campaign, type Fault } from "./campaign.ts";
import { createCorpus } from "./corpus.ts";
import type { Kind } from "./input.ts";
import { kindWeights } from "./inputs.ts";
import { findGrowth } from "./service-watch.ts";

const usage = `node test/fuzz/fuzz.ts [options]

  --calls N      how many inputs are sent (1000000)
  --seconds N    for how long at most (600)
  --seed N       repeats what was sent (else any)
  --from N       begins with the input of this number (0)
  --kinds LIST   some of messages,headers,connections (all)
`;

/** The memory is compared with that after this part of the run, and after no less than so much. */
const WARM_UP = 0.1;
const MIN_WARM_UP_CALLS = 20_000;
const MIN_WARM_UP_SECONDS = 15;
const PROGRESS_MS = 10_000;

interface Options {
  readonly calls: number;
  readonly seconds: number;
  readonly seed: number;
  readonly from: number;
  readonly kinds: ReadonlySet<Kind>;
}

await runProgram(async () => {
  const options = readOptions();
  if (options === undefined) return say(usage);
  const { seed, from, kinds } = options;
  say(`fuzz: --seed ${seed} --kinds ${[...kinds].join()} --from ${from}`);
  const corpus = createCorpus(seed);
  await using service = await startServiceProcess();
  using campaign = new Campaign(service, { seed, corpus, kinds }, from);
  const faults = await run(campaign, options);
  for (const { what, how, times } of faults) say(`\nfault, ${times} times: ${what}\n${how}`);
  say(faults.length === 0 ? "fuzz: ok" : `fuzz: ${faults.length} faults`);
  if (faults.length > 0) process.exitCode = 1;
});

/** Sends it all and tells how it went; answers what is wrong. */
async function run(campaign: Campaign, { calls, seconds, seed, from }: Options): Promise<Fault[]> {
  const startedAt = performance.now();
  const progress = setInterval(() => say(describeProgress(campaign.next - from, startedAt)), PROGRESS_MS).unref();
  const boundsAt = (parts: { calls: number; seconds: number }) => ({
    number: from + Math.ceil(Math.min(calls, parts.calls)),
    endsAt: startedAt + Math.min(seconds, parts.seconds) * 1000,
  });
  await campaign.send(
    boundsAt({
      calls: Math.max(calls * WARM_UP, MIN_WARM_UP_CALLS),
      seconds: Math.max(seconds * WARM_UP, MIN_WARM_UP_SECONDS),
    }),
  );
  const warmMib = await campaign.measureResident();
  await campaign.send(boundsAt({ calls, seconds }));
  clearInterval(progress);
  const spent = describeProgress(campaign.next - from, startedAt);
  const endMib = await campaign.measureResident();
  for (const [name, count] of [...campaign.counts].toSorted()) say(`${String(count).padStart(9)}  ${name}`);
  say(`${campaign.tornDown} connections torn down`);
  say(`resident: ${Math.round(warmMib)} MiB after the warm-up, ${Math.round(endMib)} MiB at the end`);
  say(spent);
  const growth = findGrowth(warmMib, endMib);
  const how = `repeat with --seed ${seed} --from ${from} --calls ${campaign.next - from}`;
  return growth === undefined ? campaign.faults : [...campaign.faults, { what: growth, how, times: 1 }];
}

function describeProgress(sent: number, startedAt: number): string {
  const seconds = (performance.now() - startedAt) / 1000;
  return `fuzz: ${sent} sent in ${seconds.toFixed(0)} s (${Math.round(sent / seconds)}/s)`;
}

function readOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      calls: text,
      seconds: text,
      seed: text,
      from: text,
      kinds: text,
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const count = (option: "calls" | "seconds" | "seed" | "from", fallback: number, min = 0) =>
    parseCount(values[option], { option: `--${option}`, fallback, min, max: Number.MAX_SAFE_INTEGER });
  return {
    calls: count("calls", 1_000_000, 1),
    seconds: count("seconds", 600, 1),
    seed: count("seed", Math.floor(Math.random() * 1_000_000)),
    from: count("from", 0),
    kinds: parseKinds(values.kinds),
  };
}

function parseKinds(text: string | undefined): ReadonlySet<Kind> {
  const all = Object.keys(kindWeights) as Kind[]; // Object.keys widens the keys.
  if (text === undefined) return new Set(all);
  const kinds = text.split(",").map((word) => all.find((kind) => kind === word));
  const known = kinds.filter((kind) => kind !== undefined);
  if (known.length < kinds.length) throw new UsageError(`--kinds must be some of ${all.join()}, not ${text}`);
  return new Set(known);
}
