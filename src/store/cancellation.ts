// A read that its caller has given up is stopped in the database too: pg_cancel_backend, over a connection kept for
// that. A cancel request names a connection, not a query, and takes effect some time later; so a connection goes back
// to the pool only when neither can happen any more, and is closed where a request was sent and nothing was cancelled.

import type { CompiledQuery, QueryResult } from "kysely";
import type pg from "pg";
import { connectionsOf, streamOf } from "./connections.ts";
import type { Database } from "./database.ts";
import { execute } from "./execution.ts";

const QUERY_CANCELED = "57014";

/** Most reads are over before; a request would cost their connection. */
const PATIENCE_MS = 20;

/**
 * The rows of a read; when the signal aborts the database stops working on it, and the signal's reason is thrown. Where
 * nothing can be cancelled the read goes on, unheard.
 */
export async function executeRead<R>(
  database: Database,
  query: CompiledQuery<R>,
  signal: AbortSignal,
): Promise<QueryResult<R>> {
  signal.throwIfAborted();
  const { queries, control, applicationName } = connectionsOf(database) ?? {};
  if (!queries || !control || !applicationName) return await execute(database, query);
  const client = await queries.connect();
  const cancellation = new Cancellation(client, { control, applicationName }, signal);
  try {
    signal.throwIfAborted();
    const { rows } = await client.query(query.sql, [...query.parameters]);
    return { rows };
  } catch (error) {
    if (isCanceled(error)) cancellation.isQueryCanceled = true;
    throw signal.aborted ? signal.reason : error;
  } finally {
    await cancellation.end();
  }
}

function isCanceled(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === QUERY_CANCELED;
}

interface CancelledBy {
  readonly control: pg.Pool;
  readonly applicationName: string;
}

/** Sends a cancel request some time after the signal aborts, and gives the connection back once that is settled. */
class Cancellation {
  isQueryCanceled = false;
  readonly #client: pg.PoolClient;
  readonly #by: CancelledBy;
  readonly #signal: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  /** Whether a request that was sent was heard. */
  #request: Promise<boolean> | undefined;

  constructor(client: pg.PoolClient, by: CancelledBy, signal: AbortSignal) {
    this.#client = client;
    this.#by = by;
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  async end(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#onAbort);
    clearTimeout(this.#timer);
    const isSettled = this.#request === undefined || ((await this.#request) && this.isQueryCanceled);
    this.#client.release(!isSettled || streamOf(this.#client).destroyed);
  }

  readonly #onAbort = (): void => {
    this.#timer = setTimeout(() => {
      this.#request = this.#cancel();
    }, PATIENCE_MS);
  };

  async #cancel(): Promise<boolean> {
    // pg knows the backend from the start of the connection and does not declare it.
    const { processID } = this.#client as pg.PoolClient & { processID: number };
    try {
      const { rows } = await this.#by.control.query(cancelQuery, [processID, this.#by.applicationName]);
      return rows[0]?.is_sent === true;
    } catch {
      return false; // The read ends by itself or with its connection.
    }
  }
}

// Behind a pooler, or after a failover, another process may have the number.
const cancelQuery = `
  select pg_cancel_backend(pid) as is_sent from pg_stat_activity
  where pid = $1 and application_name = $2 and datname = current_database()`;
