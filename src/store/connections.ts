import type pg from "pg";
import { Availability } from "./availability.ts";
import type { Database } from "./database.ts";

/** How a pool is used at this moment. */
export interface PoolUse {
  readonly idle: number;
  readonly used: number;
  readonly pending: number;
  readonly max: number;
}

/** What a database is reached by, besides Kysely. */
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
  readonly #clients = new Set<pg.PoolClient>();

  constructor(pools: Pick<Connections, "queries" | "control" | "probe" | "applicationName">) {
    this.queries = pools.queries;
    this.control = pools.control;
    this.probe = pools.probe;
    this.applicationName = pools.applicationName;
    this.queries.on("connect", (client) => this.#clients.add(client));
    this.queries.on("remove", (client) => this.#clients.delete(client));
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

  /** Closes all pools. */
  async end(): Promise<void> {
    const pools = [this.queries, this.probe, ...(this.control === undefined ? [] : [this.control])];
    await Promise.all(pools.filter(({ ending }) => !ending).map((pool) => pool.end()));
  }
}

/** The socket of a client, which pg does not declare. */
export function streamOf(client: pg.ClientBase): { destroy(): void } {
  return (client as pg.ClientBase & { connection: { stream: { destroy(): void } } }).connection.stream;
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
