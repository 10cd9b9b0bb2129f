// Fills a store with models of any size, past the service but by its rules. What is written can never be removed.

import { parseArgs } from "node:util";
import { sql } from "kysely";
import { pino } from "pino";
import { readConfig } from "../src/config.ts";
import type { ModelName } from "../src/domain/model-name.ts";
import type { Database } from "../src/store/database.ts";
import { modelExists } from "../src/store/model-version-store.ts";
import { openStore } from "../src/store/open-store.ts";
import { parseCount, runProgram, say, UsageError } from "./command-line.ts";
import { MAX_RECORD_BYTES, type ModelPlan, nameModels } from "./rows.ts";
import { seedModels } from "./seeding.ts";

const usage = `npm run seed -- --model NAME [options]

  --model NAME                 the model's name
  --versions N                 how many versions it gets (1000000)
  --models N                   with more than one they are NAME-0001, NAME-0002 and on, each with all versions (1)
  --record-bytes N             about how long each record is, 400 to 1048576 (400)
  --prereleases-per-release N  so many release candidates come before each release (0)

It writes to the store of the service, by the same settings; one on the embedded Postgres must be stopped before.
`;

async function main(): Promise<void> {
  const plans = readPlans();
  if (plans === undefined) return say(usage);
  const config = readConfig(process.env);
  const log = pino({ level: "warn" }, pino.destination({ dest: 2, sync: true }));
  await using store = await openStore({ ...config, serviceAddress: "none, it is being seeded", log });
  for (const { model } of plans) await refuseExisting(store.database, model);
  say(await seed(store.database, plans));
}

async function seed(database: Database, plans: readonly ModelPlan[]): Promise<string> {
  const total = plans.reduce((sum, { versions }) => sum + versions, 0);
  const startedAt = performance.now();
  await seedModels(database, plans);
  const seconds = (performance.now() - startedAt) / 1000;
  // Without the right to it Postgres warns and does nothing.
  await sql`analyze model_version`.execute(database);
  return `${total} versions in ${seconds.toFixed(1)} s, ${Math.round(total / seconds)} versions/s`;
}

async function refuseExisting(database: Database, model: ModelName): Promise<void> {
  if (!(await modelExists(database, model))) return;
  throw new UsageError(`the model ${model} exists already, and versions cannot be removed; choose another --model`);
}

function readPlans(): ModelPlan[] | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      model: text,
      versions: text,
      models: text,
      "record-bytes": text,
      "prereleases-per-release": text,
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const count = (option: Exclude<keyof typeof values, "help">, fallback: number, min: number, max: number) =>
    parseCount(values[option], { option: `--${option}`, fallback, min, max });
  const plan = {
    versions: count("versions", 1_000_000, 1, 1_000_000_000),
    recordBytes: count("record-bytes", 400, 400, MAX_RECORD_BYTES),
    prereleasesPerRelease: count("prereleases-per-release", 0, 0, 1_000_000_000),
  };
  return nameModels(values.model ?? "", count("models", 1, 1, 9_999)).map((model) => ({ model, ...plan }));
}

await runProgram(main);
