// Migrations are plain SQL, forward only, applied in one transaction under a transaction-level advisory
// lock: a session-level lock, which Kysely's own Migrator takes, is stranded by a transaction pooler.

import { sql } from "kysely";
import type { Database } from "./database.ts";
import { modelVersionTable } from "./migrations/0001-model-version.ts";
import { releaseIndex } from "./migrations/0002-release-index.ts";
import { becomeOwner, grantToService, type Roles } from "./roles.ts";

/** One step of the schema; its place in the list is its version, from 1. */
interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** All steps, in order. A step that has been released is never edited; a change is a new step. */
export const migrations: readonly Migration[] = [
  { name: "model_version", sql: modelVersionTable },
  { name: "release_index", sql: releaseIndex },
];

/** The schema of a database against the one that this release needs. */
export type SchemaState = "current" | "behind" | "ahead";

// Any fixed number will do, as long as nobody else in the same database takes it: "stele" in ASCII.
const MIGRATION_LOCK = 0x7374656c65;

/**
 * Makes the roles and applies the missing migrations as the owner, all or none, and answers their names. Any number of
 * callers may race.
 */
export async function migrate(database: Database, roles: Roles): Promise<string[]> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(transaction);
    await becomeOwner(transaction, roles);
    await sql`create table if not exists stele_migration (
      version integer not null,
      name text not null,
      applied_at timestamptz not null default now(),
      constraint stele_migration_pkey primary key (version)
    )`.execute(transaction);
    const missing = migrations.slice(await schemaVersion(transaction));
    for (const migration of missing) {
      await sql.raw(migration.sql).execute(transaction);
      const version = migrations.indexOf(migration) + 1;
      await transaction.insertInto("stele_migration").values({ version, name: migration.name }).execute();
    }
    await grantToService(transaction, roles);
    return missing.map(({ name }) => name);
  });
}

/** Tells whether the schema is the one that this release needs. */
export async function schemaState(database: Database): Promise<SchemaState> {
  const exists = await sql<{ exists: boolean }>`select to_regclass('stele_migration') is not null as exists`.execute(
    database,
  );
  const version = exists.rows[0]?.exists === true ? await schemaVersion(database) : 0;
  if (version === migrations.length) return "current";
  return version < migrations.length ? "behind" : "ahead";
}

async function schemaVersion(database: Database): Promise<number> {
  const { version } = await database
    .selectFrom("stele_migration")
    .select((eb) => eb.fn.coalesce(eb.fn.max("version"), sql.lit(0)).as("version"))
    .executeTakeFirstOrThrow();
  return version;
}
