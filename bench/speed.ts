// Measures how fast the service is against the least that the same work takes: a bare gRPC server, a minimal server
// with one INSERT, the database alone. All of it runs on this machine, in turns, so that what counts are ratios.

import { writeFile } from "node:fs/promises";
import { sql } from "kysely";
import { type BenchDatabase, startBenchDatabase } from "./bench-database.ts";
import { runProgram, say, UsageError } from "./command-line.ts";
import type { ModelPlan } from "./rows.ts";
import { openArena } from "./speed/arena.ts";
import { playRounds } from "./speed/contest.ts";
import { roundsWithoutTarget } from "./speed/measurement.ts";
import { commonPlans } from "./speed/models.ts";
import { type Options, readOptions } from "./speed/options.ts";
import { conclude, findAlarms, type Outcome } from "./speed/outcome.ts";
import { formatOutcome, head, legend } from "./speed/report.ts";
import { describeRun } from "./speed/settings.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === "string") return say(options);
  if (process.platform !== "linux") throw new UsageError("the benchmark reads /proc; run it on Linux");
  const { scale, chosen, dataDirectory, jsonFile, isGuard } = options;
  await using database = await startBenchDatabase(dataDirectory);
  const settings = await describeRun(database.database, scale);
  say(settings);
  await seed(database, [...commonPlans(scale), ...chosen.flatMap(({ plans = [] }) => plans)]);
  const outcomes = await measureAll(database, options);
  if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify({ settings, scale, outcomes }, null, 2)}\n`);
  if (isGuard) raiseAlarms(outcomes);
}

/** Writes the models of which the database has too few versions; too many come from registrations of an earlier run. */
async function seed(database: BenchDatabase, plans: readonly ModelPlan[]): Promise<void> {
  const { rows } = await sql<{ model: string; versions: number }>`
    select model, count(*)::integer as versions from model_version group by model`.execute(database.database);
  const found = new Map(rows.map(({ model, versions }) => [model, versions]));
  const wanted = new Map(plans.map((plan) => [plan.model, plan]));
  await database.prepare([...wanted.values()].filter(({ model, versions }) => (found.get(model) ?? 0) < versions));
}

async function measureAll(database: BenchDatabase, { scale, chosen }: Options): Promise<Outcome[]> {
  await using servers = new AsyncDisposableStack();
  const arena = await openArena(database, scale, servers);
  const outcomes: Outcome[] = [];
  say(`\n${head}`);
  for (const measurement of chosen) {
    await using processes = new AsyncDisposableStack();
    const contestants = measurement.contestants({ ...arena, processes });
    const rounds = measurement.targets.length > 0 ? scale.rounds : roundsWithoutTarget(scale.rounds);
    const outcome = conclude(measurement, await playRounds(contestants, rounds));
    say(`\n${formatOutcome(outcome)}`);
    outcomes.push(outcome);
  }
  say(`\n${legend}`);
  return outcomes;
}

function raiseAlarms(outcomes: readonly Outcome[]): void {
  const alarms = findAlarms(outcomes);
  say(`\n${alarms.length === 0 ? "No ratio is under half of its target." : alarms.join("\n")}`);
  if (alarms.length > 0) process.exitCode = 1;
}

await runProgram(main);
