import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { inject } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { type PostgresConnection, templateDatabase } from "./postgres-setup.ts";

/** A database of its own, with the schema and no rows. */
export interface TestDatabase extends AsyncDisposable {
  readonly connection: PostgresConnection;
  /** The same as a DATABASE_URL. */
  readonly url: string;
  readonly database: Database;
}

/** Clones the template; with `template0` the database is empty, without the schema. */
export async function createTestDatabase(template = templateDatabase): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const connection = { ...inject("postgres"), database: name };
  await onServer(async (server) => {
    await sql`create database ${sql.id(name)} template ${sql.id(template)}`.execute(server);
  });
  const database = openDatabase({ connection, onConnectionError: () => undefined });
  return {
    connection,
    url: `postgres://${connection.user}@${encodeURIComponent(connection.host)}:${connection.port}/${name}`,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.destroy();
      await onServer(async (server) => {
        await sql`drop database if exists ${sql.id(name)} with (force)`.execute(server);
      });
    },
  };
}

async function onServer(work: (server: Database) => Promise<void>): Promise<void> {
  await using server = openDatabase({ connection: inject("postgres"), onConnectionError: () => undefined });
  await work(server);
}
