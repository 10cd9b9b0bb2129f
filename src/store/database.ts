// The pool of connections. Two rules live here: every client has an error listener from its first moment
// (a checked-out client that loses its connection would otherwise end the process), and statements with
// parameters are prepared under a name, which Kysely does not do by itself (1.75 times as fast).

import { createHash, randomUUID } from "node:crypto";
import { Kysely, PostgresDialect, type PostgresPool } from "kysely";
import pg from "pg";
import { Connections, rememberConnections, streamOf } from "./connections.ts";
import { QUERY_TIMEOUT_TEXT, READ_ONLY } from "./database-failure.ts";
import type { Tables } from "./schema.ts";

/** The handle that every store function takes. */
export type Database = Kysely<Tables>;

/** Where the database is, and how to use it. */
export interface DatabaseOptions {
  /** A connection URL, or the parts of one. */
  readonly connection: string | { host: string; port: number; user: string; database: string };
  readonly maxConnections?: number;
  /** Off behind a transaction pooler, where a session is nobody's: nothing is prepared, set up or cancelled then. */
  readonly preparedStatements?: boolean;
  /** Told about a connection that broke while nobody was waiting for it. */
  readonly onConnectionError: (error: Error) => void;
}

/** Opens a pool; nothing connects before the first query. `destroy()` closes it. */
export function openDatabase(options: DatabaseOptions): Database {
  const connections = openConnections(options);
  const database = new PooledDatabase(connections);
  rememberConnections(database, connections);
  return database;
}

function openConnections(options: DatabaseOptions): Connections {
  const { maxConnections: max = 16, preparedStatements = true } = options;
  const applicationName = `stele ${randomUUID()}`;
  const probe = openPool(options, asideFor(PROBE_PATIENCE_MS));
  // A transaction pooler gives each transaction another session: none can be set up or cancelled.
  if (!preparedStatements) {
    const queries = openPool(options, { max, Client: EndingClient, query_timeout: QUERY_TIMEOUT_MS });
    return new Connections({ queries, control: undefined, probe, applicationName });
  }
  const onConnect = async (client: pg.ClientBase) => {
    await setUp(client, applicationName);
    await connections.learnHistory(client);
  };
  const queries = openPool(options, { max, Client: PreparingClient, onConnect, query_timeout: QUERY_TIMEOUT_MS });
  const control = openPool(options, asideFor(CONTROL_PATIENCE_MS));
  const connections = new Connections({ queries, control, probe, applicationName });
  return connections;
}

/** A cancel request may hold up the connection that it is about for twice as long. */
const CONTROL_PATIENCE_MS = 2_000;

/** Who asks whether the database answers gives up by itself before; this only frees the connection. */
const PROBE_PATIENCE_MS = 2_000;

/** One connection beside the queries, for questions that are answered soon or never. */
function asideFor(patienceMs: number): pg.PoolConfig {
  return { max: 1, idleTimeoutMillis: 10_000, connectionTimeoutMillis: patienceMs, query_timeout: patienceMs };
}

/** Ends its pools itself: Kysely would only end one that it has used. */
class PooledDatabase extends Kysely<Tables> {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    const { queries } = connections;
    const pool: PostgresPool = { options: queries.options, connect: async () => await queries.connect(), end };
    super({ dialect: new PostgresDialect({ pool }) });
    this.#connections = connections;
  }

  override async destroy(): Promise<void> {
    await super.destroy();
    await this.#connections.end();
  }
}

async function end(): Promise<void> {}

function openPool({ connection, onConnectionError }: DatabaseOptions, settings: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({
    ...(typeof connection === "string" ? { connectionString: connection } : connection),
    application_name: "stele",
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    ...settings,
  });
  // A pool that has ended does not wait until its connections have.
  pool.on("error", (error) => pool.ending || onConnectionError(error));
  // Whoever has a client hears of it by a query; of one that nobody has, the pool tells.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

// Every query goes by an index, in its order. Where the planner has no statistics yet it takes a page of a large model
// for a handful of rows, collects the whole model and sorts it (measured: seconds a page). The name is set here because
// one in a URL would come before that of the pool.
async function setUp(client: pg.ClientBase, applicationName: string): Promise<void> {
  const settings =
    "set enable_seqscan = off; set enable_bitmapscan = off; set jit = off; " +
    `set statement_timeout = ${STATEMENT_TIMEOUT_MS}; set lock_timeout = ${LOCK_TIMEOUT_MS}`;
  const text = `${settings}; set application_name = '${applicationName}'`;
  // pg takes a time-out for one query, and does not declare it.
  await client.query({ text, query_timeout: SET_UP_TIMEOUT_MS } as pg.QueryConfig);
}

/** No statement takes as long, unless something is wrong with the database. */
const STATEMENT_TIMEOUT_MS = 30_000;

/** Nor does one wait so long for another session: for the same version, or for whoever locks the table. */
const LOCK_TIMEOUT_MS = 5_000;

/** The server gives up before, but for a commit that waits for a standby, which it waits for without end. */
const QUERY_TIMEOUT_MS = STATEMENT_TIMEOUT_MS + 5_000;

const SET_UP_TIMEOUT_MS = 5_000;

/**
 * A client that ends its connection when that is of no more use: when an answer does not come, because pg would go on with
 * the next statement behind the one that hangs; and when it may only read, because the next connection leads to a new
 * primary, or to a session that may write again.
 */
class EndingClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: pg.Client.query has a dozen overloads.
  override query(...args: any[]): any {
    const answer: unknown = Reflect.apply(super.query, this, args);
    return answer instanceof Promise ? answer.catch(this.#endIfUseless) : answer;
  }

  readonly #endIfUseless = (error: Error): never => {
    const isUseless = error.message === QUERY_TIMEOUT_TEXT || ("code" in error && error.code === READ_ONLY);
    if (isUseless) streamOf(this).destroy();
    throw error;
  };
}

/** A client that prepares each statement with parameters once per connection. */
class PreparingClient extends EndingClient {
  // biome-ignore lint/suspicious/noExplicitAny: as above; this one is used for everything.
  override query(...args: any[]): any {
    const [text, values] = args;
    if (typeof text !== "string" || !Array.isArray(values) || values.length === 0) return super.query(...args);
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
