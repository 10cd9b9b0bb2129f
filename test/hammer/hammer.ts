// Many clients on several replicas of the service and one database, while replicas and the database are killed; then
// every answer is compared with the table. docs/testing.md tells how to use it, and how to see it fail.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findViolations } from "./checker.ts";
import { runClients } from "./clients.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Call, History } from "./history.ts";
import { killAround } from "./kills.ts";
import { countCalls, describeRate, isAcknowledged } from "./report.ts";

const usage = `node test/hammer/hammer.ts [options]

  --seconds N      how long the clients work (60)
  --increments N   instead: N increments of one model by 64 writers, nothing is killed
  --clients N      client processes (4)
  --workers N      workers in each of them, one call at a time or a few at once (8; with --increments 64 in all)
  --replicas N     replicas of the service (2)
  --seed N         repeats what was asked for (else any)
  --keep           keeps the folder with all calls and logs
`;

interface Options {
  readonly seconds: number;
  readonly increments: number;
  readonly clients: number;
  readonly workers: number;
  readonly replicas: number;
  readonly seed: number;
  readonly keep: boolean;
}

const WRITERS = 64;
const MAX_SHOWN = 20;

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return say(usage);
  const folder = await mkdtemp(join(tmpdir(), "stele-hammer-"));
  const violations = await run(options, folder).catch((error: unknown) => {
    say(`hammer: failed; calls and logs are in ${folder}`);
    throw error;
  });
  if (violations.length === 0) say("hammer: ok");
  for (const violation of violations.slice(0, MAX_SHOWN)) say(`violation: ${violation}`);
  if (violations.length > 0) {
    say(`hammer: ${violations.length} violations; calls and logs are in ${folder}`);
    process.exitCode = 1;
  } else if (options.keep) say(`calls and logs are in ${folder}`);
  else await rm(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function run(options: Options, folder: string): Promise<string[]> {
  const { seed, replicas, clients } = options;
  const workers = options.increments > 0 ? Math.ceil(WRITERS / clients) : options.workers;
  say(`hammer: --seed ${seed}, ${clients} clients with ${workers} workers each, ${replicas} replicas`);
  await using cluster = await startCluster(folder, replicas);
  const common = { seed, processes: clients, workers, addresses: cluster.addresses, folder };
  const calls = await (options.increments > 0
    ? runClients({ ...common, work: { kind: "increments", steps: options.increments / (workers * clients) } })
    : runClientsUnderFire({ ...common, work: { kind: "mix", seconds: options.seconds } }, cluster));
  await cluster.stopReplicas();
  const history = { calls, rows: await cluster.readRows() };
  for (const line of countCalls(calls)) say(line);
  say(describeRate(history));
  const { kills, cuts } = cluster;
  say(`kill -9: ${kills.replicas} of replicas, ${kills.postgres} of Postgres; ${cuts} connections cut around a commit`);
  return [
    ...findViolations(history),
    ...(options.increments > 0 ? checkIncrements(history, options) : checkWorth(calls, kills)),
  ];
}

/** A run in which nothing happened proves nothing. */
function checkWorth(calls: readonly Call[], kills: Cluster["kills"]): string[] {
  const acknowledged = calls.filter(isAcknowledged).length;
  const isWorthIt = acknowledged > 0 && kills.replicas > 0 && kills.postgres > 0;
  return isWorthIt ? [] : ["too little happened: run it longer"];
}

function checkIncrements({ calls, rows }: History, { increments }: Options): string[] {
  const successes = calls.filter(isAcknowledged).length;
  const highest = Math.max(0, ...rows.map(({ version }) => Number(version.split(".")[2])));
  say(`increments: ${successes} of ${increments} succeeded, 0.0.1 to 0.0.${highest}`);
  return successes === increments && highest === increments ? [] : ["not every increment succeeded"];
}

async function runClientsUnderFire(options: Parameters<typeof runClients>[0], cluster: Cluster): Promise<Call[]> {
  const ending = new AbortController();
  const [calls] = await Promise.all([
    runClients(options).finally(() => ending.abort()),
    killAround(cluster, options.seed, ending.signal),
  ]);
  return calls;
}

function readOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      seconds: text,
      increments: text,
      clients: text,
      workers: text,
      replicas: text,
      seed: text,
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const number = (value: string | undefined, fallback: number) => (value === undefined ? fallback : Number(value));
  return {
    seconds: number(values.seconds, 60),
    increments: number(values.increments, 0),
    clients: number(values.clients, 4),
    workers: number(values.workers, 8),
    replicas: number(values.replicas, 2),
    seed: number(values.seed, Math.floor(Math.random() * 1_000_000)),
    keep: values.keep,
  };
}

function say(line: string): void {
  process.stdout.write(`${line.trimEnd()}\n`);
}

await main();
