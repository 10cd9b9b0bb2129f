// Measures what listings take of a real service, on a Postgres of its own, against the targets of the design: its memory,
// and the time of other callers. How fast they are is measured by speed.ts. The client runs in this process.

import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { startBenchDatabase } from "./bench-database.ts";
import { parseCount, runProgram, say, UsageError } from "./command-line.ts";
import { figureHead, formatFigure } from "./figure.ts";
import {
  measureFastStream,
  measureIdle,
  measureSlowReader,
  measureSlowReaders,
  measureStuckReaders,
  measureWideReaders,
} from "./memory.ts";
import { measureModels, planModels } from "./models.ts";
import type { ModelPlan } from "./rows.ts";
import { bigModel, type Measurement, type Scale, wideModel } from "./workload.ts";

const usage = `npm run bench:listing -- [options] [measurement...]

  --versions N    versions of the large model (1000000)
  --models N      models for ListModels, with 1000 versions each, and as many with 1 (1000)
  --data-dir DIR  keeps the data there and uses what it has, such as that of npm run seed -- --model big
  --quick         a twentieth of everything, to see that it works

The measurements, all unless some are named: NAMES
`;

const big = (scale: Scale) => [bigModel(scale)];
const wide = (scale: Scale) => [wideModel(scale)];

const measurements: ReadonlyMap<string, Measurement> = new Map([
  ["idle", { plans: () => [], measure: measureIdle }],
  ["fast-stream", { plans: big, measure: measureFastStream }],
  ["slow-reader", { plans: big, measure: measureSlowReader }],
  ["slow-readers", { plans: big, measure: measureSlowReaders }],
  ["wide-readers", { plans: wide, measure: measureWideReaders }],
  ["stuck-readers", { plans: wide, measure: measureStuckReaders }],
  ["models", { plans: planModels, measure: measureModels }],
]);

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return say(usage.replace("NAMES", [...measurements.keys()].join(", ")));
  if (process.platform !== "linux") throw new UsageError("the benchmark reads /proc; run it on Linux");
  const { scale, names, dataDirectory } = options;
  const chosen = names.map(find);
  say(describeRun(scale));
  await using database = await startBenchDatabase(dataDirectory);
  await database.prepare(plansOf(chosen, scale));
  say(figureHead);
  for (const { measure } of chosen) {
    for (const figure of await measure({ ...database, scale })) say(formatFigure(figure));
  }
}

function readOptions(): { scale: Scale; names: string[]; dataDirectory: string | undefined } | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      versions: { type: "string" },
      models: { type: "string" },
      "data-dir": { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const bounds = { min: 1_000, max: 1_000_000_000 };
  const versions = parseCount(values.versions, { option: "--versions", fallback: 1_000_000, ...bounds });
  const models = parseCount(values.models, { option: "--models", fallback: 1_000, min: 20, max: 9_999 });
  return {
    scale: scaleBy(values.quick ? 20 : 1, { versions, models }),
    names: positionals.length === 0 ? [...measurements.keys()] : positionals,
    dataDirectory: values["data-dir"],
  };
}

function scaleBy(divisor: number, { versions, models }: Pick<Scale, "versions" | "models">): Scale {
  return {
    versions: Math.ceil(versions / divisor),
    models: Math.ceil(models / divisor),
    wideVersions: 1_000 / divisor,
    readers: 50,
    slowSeconds: 15 / divisor,
    wideSeconds: 20 / divisor,
    calls: 100 / divisor,
  };
}

function find(name: string): Measurement {
  const found = measurements.get(name);
  if (found === undefined) throw new UsageError(`there is no measurement ${JSON.stringify(name)}; see --help`);
  return found;
}

function plansOf(chosen: readonly Measurement[], scale: Scale): ModelPlan[] {
  const plans = chosen.flatMap(({ plans }) => plans(scale));
  return [...new Map(plans.map((plan) => [plan.model, plan])).values()];
}

function describeRun(scale: Scale): string {
  const { versions, wideVersions, models, readers, calls } = scale;
  const memoryGib = (totalmem() / 1024 ** 3).toFixed(0);
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? "unknown"}, ${memoryGib} GiB`;
  return `${machine}, load average ${loadavg()[0]?.toFixed(1)} before, Node ${process.versions.node}
${versions} versions of 400 bytes, ${wideVersions} of 1 MiB, ${models} models; ${calls} calls, ${readers} readers
service: a process of its own, log level warn; client: grpc-js in this process, responses not decoded; Postgres: embedded
`;
}

await runProgram(main);
