// A read that its caller has given up is stopped in the database too: pg_cancel_backend, over a connection kept for
// that. A cancel request names a connection, not a query, and takes effect some time later; so a connection goes back
// to the pool only when neither can happen any more, and is closed where a request was sent and nothing was cancelled.

import type { CompiledQuery } from "kysely";
import type pg from "pg";
import type { Database } from "./database.ts";

const QUERY_CANCELED = "57014";

/** The connections of a database whose reads can be cancelled. */
export interface CancellablePools {
  readonly queries: pg.Pool;
  /** For the cancel requests, which must not wait behind the queries. */
  readonly control: pg.Pool;
}

const poolsOf = new WeakMap<Database, CancellablePools>();

/** From now on reads of this database that are given a signal can be cancelled. */
export function makeCancellable(database: Database, pools: CancellablePools): void {
  poolsOf.set(database, pools);
}

/**
 * The rows of a read; throws the signal's reason when that aborts, and then the database stops working on it. On a
 * database that is not made cancellable the read goes on, unheard.
 */
export async function readRows<R>(database: Database, query: CompiledQuery<R>, signal: AbortSignal): Promise<R[]> {
  signal.throwIfAborted();
  const pools = poolsOf.get(database);
  if (pools === undefined) return (await database.executeQuery(query)).rows;
  const client = await pools.queries.connect();
  const cancellation = new Cancellation(client, pools.control, signal);
  try {
    signal.throwIfAborted();
    const { rows } = await client.query(query.sql, [...query.parameters]);
    return rows;
  } catch (error) {
    if (isCanceled(error)) cancellation.wasCarriedOut = true;
    throw signal.aborted ? signal.reason : error;
  } finally {
    await cancellation.end();
  }
}

function isCanceled(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === QUERY_CANCELED;
}

/** Sends a cancel request when the signal aborts, and gives the connection back once that is settled. */
class Cancellation {
  wasCarriedOut = false;
  readonly #client: pg.PoolClient;
  readonly #control: pg.Pool;
  readonly #signal: AbortSignal;
  #request: Promise<unknown> | undefined;

  constructor(client: pg.PoolClient, control: pg.Pool, signal: AbortSignal) {
    this.#client = client;
    this.#control = control;
    this.#signal = signal;
    signal.addEventListener("abort", this.#send);
  }

  async end(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#send);
    await this.#request;
    this.#client.release(this.#request !== undefined && !this.wasCarriedOut);
  }

  readonly #send = (): void => {
    // pg knows it from the start of the connection and does not declare it.
    const { processID } = this.#client as pg.PoolClient & { processID: number };
    // Where it cannot be sent, the read ends by itself or with its connection.
    this.#request = this.#control.query("select pg_cancel_backend($1)", [processID]).catch(() => undefined);
  };
}
