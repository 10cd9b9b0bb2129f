// The pool of connections. Two rules live here: every client has an error listener from its first moment
// (a checked-out client that loses its connection would otherwise end the process), and statements with
// parameters are prepared under a name, which Kysely does not do by itself (1.75 times as fast).

import { createHash, randomUUID } from "node:crypto";
import { Kysely, PostgresDialect, type PostgresPool } from "kysely";
import pg from "pg";
import { makeCancellable } from "./cancellation.ts";
import type { Tables } from "./schema.ts";

/** The handle that every store function takes. */
export type Database = Kysely<Tables>;

/** Where the database is, and how to use it. */
export interface DatabaseOptions {
  /** A connection URL, or the parts of one. */
  readonly connection: string | { host: string; port: number; user: string; database: string };
  readonly maxConnections?: number;
  /** Off behind a transaction pooler that cannot keep prepared statements. */
  readonly preparedStatements?: boolean;
  /** Told about a connection that broke while nobody was waiting for it. */
  readonly onConnectionError: (error: Error) => void;
}

/** Opens a pool; nothing connects before the first query. `destroy()` closes it. */
export function openDatabase(options: DatabaseOptions): Database {
  const { maxConnections = 16, preparedStatements = true } = options;
  const applicationName = `stele ${randomUUID()}`;
  const settings = { application_name: applicationName, max: maxConnections };
  // A transaction pooler gives each transaction another session: none can be set up or cancelled.
  if (!preparedStatements) return new PooledDatabase(openPool(options, settings));
  const queries = openPool(options, { ...settings, Client: PreparingClient, onConnect: setUp });
  const control = openPool(options, {
    application_name: applicationName,
    max: 1,
    idleTimeoutMillis: 10_000,
    query_timeout: CONTROL_TIMEOUT_MS,
  });
  const database = new PooledDatabase(queries, control);
  makeCancellable(database, { queries, control, applicationName });
  return database;
}

/** How long a cancel request may hold up the connection that it is about. */
const CONTROL_TIMEOUT_MS = 2_000;

/** Ends its pools itself: Kysely would only end one that it has used. */
class PooledDatabase extends Kysely<Tables> {
  readonly #pools: readonly pg.Pool[];

  constructor(queries: pg.Pool, ...others: readonly pg.Pool[]) {
    const pool: PostgresPool = { options: queries.options, connect: async () => await queries.connect(), end };
    super({ dialect: new PostgresDialect({ pool }) });
    this.#pools = [queries, ...others];
  }

  override async destroy(): Promise<void> {
    await super.destroy();
    await Promise.all(this.#pools.filter(({ ending }) => !ending).map((pool) => pool.end()));
  }
}

async function end(): Promise<void> {}

function openPool({ connection, onConnectionError }: DatabaseOptions, settings: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    ...(typeof connection === "string" ? { connectionString: connection } : connection),
    ...settings,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  pool.on("error", onConnectionError);
  pool.on("connect", (client) => client.on("error", onConnectionError));
  return pool;
}

// Every query goes by an index, in its order. Where the planner has no statistics yet it takes a page of a large model
// for a handful of rows, collects the whole model and sorts it (measured: seconds a page).
async function setUp(client: pg.ClientBase): Promise<void> {
  await client.query("set enable_seqscan = off; set enable_bitmapscan = off; set jit = off");
}

/** A client that prepares each statement with parameters once per connection. */
class PreparingClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: pg.Client.query has a dozen overloads; Kysely uses this one only.
  override query(...args: any[]): any {
    const [text, values] = args;
    if (typeof text !== "string" || !Array.isArray(values) || values.length === 0) {
      return Reflect.apply(super.query, this, args);
    }
    return super.query({ name: statementName(text), text, values });
  }
}

const statementNames = new Map<string, string>();

function statementName(text: string): string {
  const known = statementNames.get(text);
  if (known !== undefined) return known;
  const name = `stele_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
  statementNames.set(text, name);
  return name;
}
