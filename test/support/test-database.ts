import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { inject } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { type PostgresConnection, templateDatabase, testRoles } from "./postgres-setup.ts";

/** A database of its own, with the schema and no rows. */
export interface TestDatabase extends AsyncDisposable {
  readonly connection: PostgresConnection;
  /** A DATABASE_URL for the service, as the service role. */
  readonly url: string;
  /** A DATABASE_URL for `migrate`, as the superuser. */
  readonly adminUrl: string;
  /** The database itself, as the superuser. */
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
    url: urlOf(connection, testRoles.service),
    adminUrl: urlOf(connection, connection.user),
    database,
    [Symbol.asyncDispose]: async () => {
      await database.destroy();
      await onServer(async (server) => {
        await sql`drop database if exists ${sql.id(name)} with (force)`.execute(server);
      });
    },
  };
}

function urlOf({ host, port, database }: PostgresConnection, user: string): string {
  return `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
}

async function onServer(work: (server: Database) => Promise<void>): Promise<void> {
  await using server = openDatabase({ connection: inject("postgres"), onConnectionError: () => undefined });
  await work(server);
}
