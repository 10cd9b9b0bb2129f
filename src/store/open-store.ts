import { setTimeout as sleep } from "node:timers/promises";
import { isConnectionFailure } from "./connection-failure.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { defaultDataDirectory } from "./embedded-postgres/data-directory.ts";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./embedded-postgres/embedded-postgres.ts";
import { migrate, type SchemaState, schemaState } from "./migrate.ts";
import { findExcessRights, type Roles } from "./roles.ts";

const CLOSE_PATIENCE_MS = 2_000;

/** A database that cannot be used as it is, in words for the person who runs the service. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** Which database to use. */
export interface StoreOptions {
  /** undefined: the embedded Postgres. */
  readonly databaseUrl: string | undefined;
  /** Where the embedded Postgres keeps its data; undefined: the platform's usual place. */
  readonly dataDirectory: string | undefined;
  readonly preparedStatements: boolean;
  readonly roles: Roles;
  /** What a second service on the same data directory is told. */
  readonly serviceAddress: string;
  readonly log: EmbeddedPostgresOptions["log"];
}

/** An open database with the schema that this release needs. */
export interface Store extends AsyncDisposable {
  readonly database: Database;
  /** Where the data is, for a person. */
  readonly description: string;
  /** Tells the address that the service got, to be told to a second service on the same data. */
  announce(serviceAddress: string): Promise<void>;
}

/**
 * Opens the database: that of the URL, whose schema must be current, or the embedded one, which migrates itself.
 *
 * @throws StoreError and EmbeddedPostgresError, which say what to do.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  return options.databaseUrl === undefined
    ? await openEmbedded(options)
    : await openRemote(options, options.databaseUrl);
}

/**
 * Applies the missing migrations to the database of a URL and answers their names.
 *
 * @throws StoreError, which says what to do.
 */
export async function migrateStore(
  databaseUrl: string,
  { roles, log }: Pick<StoreOptions, "roles" | "log">,
): Promise<string[]> {
  // A pooler may be in between, and nothing is asked twice.
  const options = { connection: databaseUrl, preparedStatements: false, onConnectionError: logTo(log) };
  await using database = openDatabase(options);
  return await explaining(databaseUrl, migrate(database, roles));
}

async function openEmbedded(options: StoreOptions): Promise<Store> {
  const { dataDirectory = defaultDataDirectory(), serviceAddress, preparedStatements, roles, log } = options;
  const postgres = await startEmbeddedPostgres({ dataDirectory, serviceAddress, log });
  const onConnectionError = logTo(log);
  try {
    await using administration = openDatabase({ connection: postgres.connection, onConnectionError });
    await migrate(administration, roles);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  const connection = { ...postgres.connection, user: roles.service };
  const database = openDatabase({ connection, preparedStatements, onConnectionError });
  return {
    database,
    description: `embedded Postgres in ${dataDirectory}`,
    announce: async (address) => await postgres.announce(address),
    [Symbol.asyncDispose]: closer(database, postgres),
  };
}

async function openRemote({ preparedStatements, log }: StoreOptions, databaseUrl: string): Promise<Store> {
  const database = openDatabase({ connection: databaseUrl, preparedStatements, onConnectionError: logTo(log) });
  const close = closer(database);
  try {
    refuseOtherSchema(await explaining(databaseUrl, schemaState(database)));
    await warnOfExcessRights(database, log);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    database,
    description: placeOf(databaseUrl),
    announce: async () => undefined,
    [Symbol.asyncDispose]: close,
  };
}

// What the database or the network answers to the first queries is about the settings, not about this program.
async function explaining<T>(databaseUrl: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined && !isConnectionFailure(error)) throw error;
    const reason = (error instanceof Error && error.message) || code;
    throw new StoreError(`cannot use ${placeOf(databaseUrl)} (${reason}); check DATABASE_URL and that server`, {
      cause: error,
    });
  }
}

// A URL without its password.
function placeOf(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return "the Postgres of DATABASE_URL";
  const { host, pathname } = new URL(databaseUrl);
  return `Postgres at ${decodeURIComponent(host)}${pathname}`;
}

async function warnOfExcessRights(database: Database, log: StoreOptions["log"]): Promise<void> {
  const rights = await findExcessRights(database);
  if (rights.length === 0) return;
  log.warn({ rights }, "the database user has rights that the service does not need; connect as the service role");
}

function refuseOtherSchema(state: SchemaState): void {
  if (state === "behind") {
    throw new StoreError(
      "the schema of the database is older than this release needs: run `npm run migrate` with the same " +
        "DATABASE_URL, as a user who may create tables, then start again",
    );
  }
  if (state === "ahead") {
    throw new StoreError(
      "the schema of the database is newer than this release knows: start the release that migrated it, or a later one",
    );
  }
}

function closer(database: Database, postgres?: EmbeddedPostgres): () => Promise<void> {
  return async () => {
    // A query that hangs would keep the pool open for ever.
    await Promise.race([database.destroy(), sleep(CLOSE_PATIENCE_MS, undefined, { ref: false })]);
    await postgres?.stop();
  };
}

function logTo(log: StoreOptions["log"]): DatabaseOptions["onConnectionError"] {
  return (error) => log.warn({ err: error }, "a database connection broke");
}
