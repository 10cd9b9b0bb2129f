import type { Duplex } from "node:stream";
import type pg from "pg";
import { Availability } from "./availability.ts";
import type { Database } from "./database.ts";
import { type History, isUntold, readHistory } from "./history.ts";

/** How a pool is used at this moment. */
export interface PoolUse {
  readonly idle: number;
  readonly used: number;
  readonly pending: number;
  readonly max: number;
}

/** What a database is reached by. */
export class Connections {
  readonly queries: pg.Pool;
  /** For cancel requests, which must not wait behind the queries; undefined where nothing can be cancelled. */
  readonly control: pg.Pool | undefined;
  /** For the question whether the database answers. */
  readonly probe: pg.Pool;
  /** By which the database knows the connections of this pool from all others. */
  readonly applicationName: string;
  readonly availability = new Availability(() => this.cut());
  /** Told the code of every failure of the database. */
  onFailure: (code: string) => void = () => undefined;
  #tellsHistory = false;
  readonly #clients = new Set<pg.PoolClient>();
  readonly #histories = new Map<pg.ClientBase | pg.Pool, History>();
  #onHistory: (history: History) => void = () => undefined;

  constructor(pools: Pick<Connections, "queries" | "control" | "probe" | "applicationName">) {
    this.queries = pools.queries;
    this.control = pools.control;
    this.probe = pools.probe;
    this.applicationName = pools.applicationName;
    this.queries.on("connect", (client) => this.#clients.add(client));
    this.queries.on("remove", (client) => {
      this.#clients.delete(client);
      // What the last one led to counts until there is another.
      if (this.#histories.delete(client) && this.#histories.size > 0) this.#tellHistory();
    });
  }

  /** How the pool of queries is used. */
  use(): PoolUse {
    const { totalCount, idleCount, waitingCount, options } = this.queries;
    return { idle: idleCount, used: totalCount - idleCount, pending: waitingCount, max: options.max ?? 0 };
  }

  /** Cuts all connections of the queries; their statements fail as if the network had cut them. */
  cut(): void {
    for (const client of this.#clients) streamOf(client).destroy();
  }

  /** Asks a trivial question over the connection for that; rejects when it is not answered. */
  async ask(): Promise<void> {
    if (this.#tellsHistory) await this.learnHistory(this.probe);
    else await this.probe.query("select 1");
  }

  /** Learns where a connection leads; rejects when it fails. */
  async learnHistory(connection: pg.ClientBase | pg.Pool): Promise<void> {
    if (!this.#tellsHistory) return;
    try {
      this.#histories.set(connection, await readHistory(connection));
    } catch (error) {
      if (!isUntold(error)) throw error;
      // An engine that only speaks like Postgres; it need not be asked again.
      this.#tellsHistory = false;
    }
    this.#tellHistory();
  }

  /**
   * Has a listener told which history all connections lead to, whenever that may have changed; to be called before the first
   * connection is made. Behind a transaction pooler each statement may lead elsewhere, and nothing is told.
   */
  onHistory(listener: (history: History) => void): void {
    this.#onHistory = listener;
    this.#tellsHistory = this.control !== undefined;
  }

  // Of connections that lead to several, such as to a primary that does not know yet that it was replaced, none counts.
  #tellHistory(): void {
    const [history, ...others] = new Set(this.#histories.values());
    this.#onHistory(this.#tellsHistory && others.length === 0 ? history : undefined);
  }

  /** Closes all pools. */
  async end(): Promise<void> {
    const pools = [this.queries, this.probe, ...(this.control === undefined ? [] : [this.control])];
    await Promise.all(pools.filter(({ ending }) => !ending).map((pool) => pool.end()));
  }
}

/** The socket of a client, which pg does not declare. */
export function streamOf(client: pg.ClientBase): Duplex {
  return (client as pg.ClientBase & { connection: { stream: Duplex } }).connection.stream;
}

const known = new WeakMap<Database, Connections>();

/** From now on `connectionsOf` answers these. */
export function rememberConnections(database: Database, connections: Connections): void {
  known.set(database, connections);
}

/** What the database is reached by; undefined for one that was not opened by `openDatabase`. */
export function connectionsOf(database: Database): Connections | undefined {
  return known.get(database);
}
