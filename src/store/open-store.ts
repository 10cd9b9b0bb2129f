import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { DatabaseAwayError } from "./availability.ts";
import { connectionsOf } from "./connections.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { isConnectionFailure } from "./database-failure.ts";
import { defaultDataDirectory } from "./embedded-postgres/data-directory.ts";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./embedded-postgres/embedded-postgres.ts";
import { migrate, type SchemaState, schemaState } from "./migrate.ts";
import { RecordCache } from "./record-cache.ts";
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
  /** A read replica of it; undefined: there is none. */
  readonly databaseReadUrl: string | undefined;
  readonly databaseConnections: number;
  /** How long a database that cannot be reached is waited for. */
  readonly startPatienceMs: number;
  /** Where the embedded Postgres keeps its data; undefined: the platform's usual place. */
  readonly dataDirectory: string | undefined;
  readonly preparedStatements: boolean;
  /** How many bytes of records are kept in memory. */
  readonly recordCacheBytes: number;
  readonly roles: Roles;
  /** What a second service on the same data directory is told. */
  readonly serviceAddress: string;
  readonly log: EmbeddedPostgresOptions["log"];
}

/** An open database with the schema that this release needs. */
export interface Store extends AsyncDisposable {
  readonly database: Database;
  /** A replica of it, which may be behind, or away. */
  readonly replica: Database | undefined;
  /** Records of the database. */
  readonly records: RecordCache;
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

/**
 * Connects to the database of a URL, without waiting for it, and says where it is and what it is.
 *
 * @throws StoreError, which says what to do.
 */
export async function checkDatabase(
  databaseUrl: string,
  { preparedStatements }: Pick<StoreOptions, "preparedStatements">,
): Promise<string> {
  await using database = openDatabase({
    connection: databaseUrl,
    preparedStatements,
    maxConnections: 1,
    onConnectionError: () => undefined,
  });
  return await explaining(
    databaseUrl,
    (async () => {
      refuseOtherSchema(await orSilence(database, schemaState(database)));
      const rights = await findExcessRights(database);
      const excess =
        rights.length === 0 ? "" : `; its user has more rights than the service needs: ${rights.join(", ")}`;
      return `${placeOf(databaseUrl)}, ${await serverOf(database)}, schema current${excess}`;
    })(),
  );
}

async function serverOf(database: Database): Promise<string> {
  const { rows } = await sql<{ version: string; is_standby: boolean }>`
    select current_setting('server_version') as version, pg_is_in_recovery() as is_standby`.execute(database);
  const [row] = rows;
  return `Postgres ${row?.version}${row?.is_standby ? " (a standby)" : ""}`;
}

async function openEmbedded(options: StoreOptions): Promise<Store> {
  const { dataDirectory = defaultDataDirectory(), serviceAddress, roles, log } = options;
  const postgres = await startEmbeddedPostgres({ dataDirectory, serviceAddress, log });
  const onConnectionError = logTo(log);
  try {
    await using administration = openDatabase({ connection: postgres.connection, onConnectionError });
    await migrate(administration, roles);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  const database = open({ ...postgres.connection, user: roles.service }, options);
  return {
    database,
    replica: undefined,
    records: openCache(database, options),
    description: `embedded Postgres in ${dataDirectory}`,
    announce: async (address) => await postgres.announce(address),
    [Symbol.asyncDispose]: closer([database], postgres),
  };
}

async function openRemote(options: StoreOptions, databaseUrl: string): Promise<Store> {
  const database = open(databaseUrl, options);
  const records = openCache(database, options);
  const replica = options.databaseReadUrl === undefined ? undefined : open(options.databaseReadUrl, options);
  const close = closer(replica === undefined ? [database] : [database, replica]);
  try {
    refuseOtherSchema(await explaining(databaseUrl, awaitSchema(database, databaseUrl, options)));
    await warnOfExcessRights(database, options.log);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    database,
    replica,
    records,
    description: placeOf(databaseUrl),
    announce: async () => undefined,
    [Symbol.asyncDispose]: close,
  };
}

function open(connection: DatabaseOptions["connection"], options: StoreOptions): Database {
  const { databaseConnections: maxConnections, preparedStatements, log } = options;
  return openDatabase({ connection, maxConnections, preparedStatements, onConnectionError: logTo(log) });
}

function openCache(database: Database, { recordCacheBytes }: StoreOptions): RecordCache {
  const records = new RecordCache(recordCacheBytes);
  connectionsOf(database)?.onHistory((history) => records.follow(history));
  return records;
}

const RETRY_MS = 250;
const REMINDER_MS = 5_000;

/** The state of the schema, once the database can be reached; throws the last failure when that takes too long. */
async function awaitSchema(
  database: Database,
  databaseUrl: string,
  { startPatienceMs, log }: StoreOptions,
): Promise<SchemaState> {
  const start = performance.now();
  let nextReminder = start;
  for (;;) {
    try {
      return await orSilence(database, schemaState(database));
    } catch (error) {
      if (!isConnectionFailure(error) || performance.now() - start > startPatienceMs) throw error;
      if (performance.now() >= nextReminder) {
        log.info({ reason: reasonOf(error), patienceMs: startPatienceMs }, `waiting for ${placeOf(databaseUrl)}`);
        nextReminder += REMINDER_MS;
      }
    }
    await sleep(RETRY_MS);
  }
}

/** As long as a connection may take. */
const SILENCE_MS = 5_000;

/** The outcome of the work; a database that takes the connection and then says nothing is one that cannot be reached. */
async function orSilence<T>(database: Database, work: Promise<T>): Promise<T> {
  const patience = new AbortController();
  const silence = sleep(SILENCE_MS, undefined, { signal: patience.signal }).then(() => {
    connectionsOf(database)?.cut();
    throw new DatabaseAwayError(true);
  });
  try {
    return await Promise.race([work, silence]);
  } finally {
    patience.abort();
    await Promise.allSettled([silence]);
  }
}

// What the database or the network answers to the first queries is about the settings, not about this program.
async function explaining<T>(databaseUrl: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
    if (code === undefined && !isConnectionFailure(error)) throw error;
    throw new StoreError(
      `cannot use ${placeOf(databaseUrl)} (${reasonOf(error)}); check DATABASE_URL and that server`,
      {
        cause: error,
      },
    );
  }
}

// An error about several addresses has no message of its own.
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ("code" in error ? String(error.code) : error.name);
}

/** Where the database of a URL is, without its user and password. */
export function placeOf(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return "the Postgres of DATABASE_URL";
  const { host, pathname } = new URL(databaseUrl);
  // The path of a socket is written with %2F; any other % is nobody's business here.
  return `Postgres at ${host.replaceAll(/%2f/gi, "/")}${pathname}`;
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

function closer(databases: readonly Database[], postgres?: EmbeddedPostgres): () => Promise<void> {
  return async () => {
    // A query that hangs would keep the pool open for ever.
    const closed = Promise.all(databases.map((database) => database.destroy()));
    await Promise.race([closed, sleep(CLOSE_PATIENCE_MS, undefined, { ref: false })]);
    await postgres?.stop();
  };
}

function logTo(log: StoreOptions["log"]): DatabaseOptions["onConnectionError"] {
  return (error) => log.warn({ err: error }, "a database connection broke");
}
