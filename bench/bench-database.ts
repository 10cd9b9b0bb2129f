import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import { type Database, openDatabase } from "../src/store/database.ts";
import { startEmbeddedPostgres } from "../src/store/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../src/store/migrate.ts";
import { UsageError } from "./command-line.ts";
import type { ModelPlan } from "./rows.ts";
import { seedModels } from "./seeding.ts";

/** An embedded Postgres that this process and services beside it use. */
export interface BenchDatabase extends AsyncDisposable {
  /** The DATABASE_URL of a service. */
  readonly url: string;
  /** The same database, as the same user. */
  readonly database: Database;
  /** Writes the models that are missing, and waits until the tables are at rest. */
  prepare(plans: readonly ModelPlan[]): Promise<void>;
}

const roles = { owner: "stele_owner", service: "stele_service" };

/** Starts Postgres on a data directory, or on one that goes away with it. */
export async function startBenchDatabase(dataDirectory: string | undefined): Promise<BenchDatabase> {
  await using started = new AsyncDisposableStack();
  const directory = dataDirectory ?? (await mkdtemp(join(tmpdir(), "stele-bench-")));
  if (dataDirectory === undefined) started.defer(async () => await rm(directory, { recursive: true, force: true }));
  const log = pino({ level: "warn" }, pino.destination({ dest: 2, sync: true }));
  const options = { dataDirectory: directory, serviceAddress: "none, a benchmark", log };
  const { connection } = started.use(await startEmbeddedPostgres(options));
  const administration = openOn(started, connection);
  await migrate(administration, roles);
  const database = openOn(started, { ...connection, user: roles.service });
  const running = started.move();
  return {
    url: `postgres://${roles.service}@${encodeURIComponent(connection.host)}:${connection.port}/${connection.database}`,
    database,
    prepare: async (plans) => {
      await seedModels(database, await findMissing(database, plans));
      await sql`vacuum (analyze) model_version`.execute(administration);
      await sql`checkpoint`.execute(administration);
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

function openOn(stack: AsyncDisposableStack, connection: Parameters<typeof openDatabase>[0]["connection"]): Database {
  const database = openDatabase({ connection, onConnectionError: () => undefined });
  stack.defer(async () => await database.destroy());
  return database;
}

async function findMissing(database: Database, plans: readonly ModelPlan[]): Promise<ModelPlan[]> {
  const { rows } = await sql<{ model: string; versions: number }>`
    select model, count(*)::integer as versions from model_version group by model`.execute(database);
  const found = new Map(rows.map(({ model, versions }) => [model, versions]));
  for (const { model, versions } of plans) {
    const existing = found.get(model) ?? versions;
    if (existing === versions) continue;
    throw new UsageError(
      `${model} has ${existing} versions, not ${versions}; use another --data-dir, or the --versions of this one`,
    );
  }
  return plans.filter(({ model }) => !found.has(model));
}
