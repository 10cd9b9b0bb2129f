// One throw-away Postgres for the whole run, with a migrated template database that tests clone.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { openDatabase } from "../../src/store/database.ts";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";

/** Where the throw-away server listens, as its superuser. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

declare module "vitest" {
  interface ProvidedContext {
    postgres: PostgresConnection;
  }
}

/** The database that is cloned: it has the schema and nothing else. */
export const templateDatabase = "stele_template";

/** The roles of the run's server. */
export const testRoles = { owner: "stele_owner", service: "stele_service" };

/** Starts the server before the first test; what it returns stops it after the last. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "stele-test-"));
  const log = pino({ level: "warn" }, pino.destination({ dest: 2, sync: true }));
  const postgres = await startEmbeddedPostgres({ dataDirectory, serviceAddress: "none, a test run", log });
  await makeTemplate(postgres.connection);
  project.provide("postgres", postgres.connection);
  return async () => {
    await postgres.stop();
    await rm(dataDirectory, { recursive: true, force: true });
  };
}

async function makeTemplate(connection: PostgresConnection): Promise<void> {
  await using server = openDatabase({ connection, onConnectionError: () => undefined });
  await sql`create database ${sql.id(templateDatabase)}`.execute(server);
  await using template = openDatabase({
    connection: { ...connection, database: templateDatabase },
    onConnectionError: () => undefined,
  });
  await migrate(template, testRoles);
}
