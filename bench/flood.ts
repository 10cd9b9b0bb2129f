// Measures what a flood of slow, idle and half-open connections does to the normal traffic of a service, as the ratio
// of the times in the flood to those without it, in turns of one run. Normal traffic and flood come from a process each;
// they, the service and its Postgres share the machine.

import { availableParallelism, cpus, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startBenchDatabase } from "./bench-database.ts";
import { ChildProgram } from "./child-program.ts";
import { parseCount, runProgram, say, UsageError } from "./command-line.ts";
import { figureHead, formatFigure } from "./figure.ts";
import type { FloodAnswers, FloodOrder } from "./flood/flooder.ts";
import { type KindNumbers, kindNames, kinds } from "./flood/kinds.ts";
import { floodedModel, hotModel } from "./flood/models.ts";
import { measurePair, type Pair, type Processes } from "./flood/phases.ts";
import { describeCounts, describeFailures, describePhase, makeFigures } from "./flood/report.ts";
import { readDescriptorLimit } from "./flood/sockets.ts";
import type { TrafficAnswers, TrafficOrder } from "./flood/traffic.ts";
import { startService } from "./workload.ts";

const usage = `npm run bench:flood -- [options]

  --pairs N    pairs of a quiet phase and one in the flood (5)
  --seconds N  how long a phase is (8)
  --quick      2 pairs of 4 s, held to a wider target: a guard against gross regressions only

How many of each kind the flood has; what the service closes is opened again, 100 connections a second:

KINDS
It fails when the median time of GetVersion, or of one over a new connection, is in the flood more than twice what it is
without (--quick: four times), or when a call of the normal traffic fails.
`;

interface Options {
  readonly pairs: number;
  readonly seconds: number;
  readonly maxRatio: number;
  readonly numbers: KindNumbers;
}

const WARM_UP_SECONDS = 3;

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return say(usage.replace("KINDS", describeKinds()));
  if (process.platform !== "linux") throw new UsageError("the benchmark reads /proc; run it on Linux");
  const numbers = fitDescriptors(options.numbers);
  say(describeRun(options));
  await using database = await startBenchDatabase(undefined);
  await database.prepare([hotModel, floodedModel]);
  await using service = await startService(database);
  const { address } = service;
  const { hostname: host, port } = new URL(`http://${address}`);
  const floodOrder: FloodOrder = { host, port: Number(port), numbers };
  const trafficOrder: TrafficOrder = { address };
  await using flood = new ChildProgram<FloodAnswers>("flood/flooder.ts", floodOrder);
  await using traffic = new ChildProgram<TrafficAnswers>("flood/traffic.ts", trafficOrder);
  await sleep(WARM_UP_SECONDS * 1_000);
  const pairs = await measurePairs({ service, traffic, flood }, options);
  report(pairs, { ...options, numbers });
  reportFailures(await traffic.ask("failures"));
}

async function measurePairs(processes: Processes, { pairs, seconds }: Options): Promise<Pair[]> {
  const measured: Pair[] = [];
  while (measured.length < pairs) {
    const pair = await measurePair(processes, seconds);
    say(describePhase("quiet", pair.quiet));
    say(describePhase("flood", pair.flooded));
    measured.push(pair);
  }
  return measured;
}

function report(pairs: readonly Pair[], { maxRatio, numbers }: Options): void {
  const figures = makeFigures(pairs, maxRatio);
  say(`\n${[figureHead, ...figures.map(formatFigure)].join("\n")}`);
  const last = pairs.at(-1);
  if (last !== undefined) say(`\n${describeCounts(numbers, last.counts)}`);
  if (figures.some(({ target }) => target?.isMet === false)) process.exitCode = 1;
}

function reportFailures(failures: readonly string[]): void {
  say(`\n${describeFailures(failures)}`);
  if (failures.length > 0) process.exitCode = 1;
}

function readOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      pairs: text,
      seconds: text,
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
      ...Object.fromEntries(kindNames.map((name) => [name, text])),
    },
  });
  if (values.help) return undefined;
  const given = new Map(Object.entries(values).map(([option, value]) => [option, String(value)]));
  const count = (option: string, fallback: number, min: number, max: number) =>
    parseCount(given.get(option), { option: `--${option}`, fallback, min, max });
  return {
    pairs: count("pairs", values.quick ? 2 : 5, 1, 1_000),
    seconds: count("seconds", values.quick ? 4 : 8, 1, 3_600),
    maxRatio: values.quick ? 4 : 2,
    numbers: mapKinds((name) => count(name, kinds[name].count, 0, 100_000)),
  };
}

const SPARE_DESCRIPTORS = 200;

/** The numbers of a flood that this process's limit of file descriptors allows. */
function fitDescriptors(numbers: KindNumbers): KindNumbers {
  const limit = readDescriptorLimit();
  const total = kindNames.reduce((sum, name) => sum + numbers[name], 0);
  const part = Math.max(0, limit - SPARE_DESCRIPTORS) / total;
  if (part >= 1) return numbers;
  say(`${limit} file descriptors (ulimit -n) are too few: the flood is scaled to ${(part * 100).toFixed(0)} %`);
  return mapKinds((name) => Math.floor(numbers[name] * part));
}

function mapKinds(numberOf: (name: keyof KindNumbers) => number): KindNumbers {
  return Object.fromEntries(kindNames.map((name) => [name, numberOf(name)])) as KindNumbers; // It has all the names.
}

function describeKinds(): string {
  const lines = kindNames.map((name) => {
    const { description, count } = kinds[name];
    return `  ${`--${name} N`.padEnd(18)}${description} (${count})\n`;
  });
  return lines.join("");
}

function describeRun({ pairs, seconds }: Options): string {
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? "unknown"}`;
  return `${machine}, load average ${loadavg()[0]?.toFixed(1)} before, Node ${process.versions.node}
${pairs} pairs of ${seconds} s; service, normal traffic and flood: processes of their own; Postgres: embedded
Times are of 8 callers in a closed loop, the number of calls in brackets; of the processors a process's share of one.
`;
}

await runProgram(main);
