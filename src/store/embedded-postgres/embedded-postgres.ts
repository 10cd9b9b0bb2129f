// The embedded Postgres from start to stop: one service owns the data directory, one server runs on it, and a server
// that ends unasked is started again behind the same socket. Nothing is left behind but the data, however it ends.

import { setTimeout as delay } from "node:timers/promises";
import { type Connection, connectionThrough, ensureDatabase } from "./application-database.ts";
import { findBinaries, type PostgresBinaries } from "./binaries.ts";
import { prepareCluster } from "./cluster.ts";
import { openDataDirectory } from "./data-directory.ts";
import { reasonOf } from "./embedded-postgres-error.ts";
import type { Logger } from "./logger.ts";
import { type Ownership, takeOwnership } from "./ownership.ts";
import { type PostgresServer, type ServerPlan, startServer } from "./postgres-server.ts";
import { boundLog } from "./server-log.ts";
import { makeSocketDirectory, removeSocketDirectory } from "./socket-directory.ts";

export { EmbeddedPostgresError } from "./embedded-postgres-error.ts";

/** What to run, and where. */
export interface EmbeddedPostgresOptions {
  /** Made where it is missing; may be relative. */
  readonly dataDirectory: string;
  /** Where the service answers, for the message that a second one gets, such as "127.0.0.1:50051". */
  readonly serviceAddress: string;
  readonly log: Logger;
  /** More settings for Postgres, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

const firstBackoffMs = 50;
const longestBackoffMs = 10_000;
/** A server that lived longer is no part of a series of failures. */
const steadyMs = 10_000;
const logCheckMs = 10_000;

/** A Postgres that runs for this process alone, supervised until `stop`. */
export class EmbeddedPostgres implements AsyncDisposable {
  readonly connection: Connection;
  readonly #plan: ServerPlan;
  readonly #ownership: Ownership;
  readonly #stopping = new AbortController();
  readonly #logCheck: NodeJS.Timeout;
  readonly #supervision: Promise<void>;
  #server: PostgresServer | undefined;
  #stopped: Promise<void> | undefined;

  constructor(plan: ServerPlan, ownership: Ownership, server: PostgresServer) {
    this.connection = connectionThrough(plan.socketDirectory);
    this.#plan = plan;
    this.#ownership = ownership;
    this.#server = server;
    this.#logCheck = setInterval(() => void boundLog(plan.directory.log).catch(() => {}), logCheckMs).unref();
    this.#supervision = this.#supervise();
  }

  /** The process id of the server, undefined while none runs. */
  postmasterPid(): number | undefined {
    return this.#server?.pid;
  }

  /** Tells the next service that asks for this directory where this one answers. */
  async announce(serviceAddress: string): Promise<void> {
    await this.#ownership.announce({
      pid: process.pid,
      serviceAddress,
      socketDirectory: this.#plan.socketDirectory,
    });
  }

  /** Stops the server and gives the data directory up; further calls wait for the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#logCheck);
    try {
      await this.#server?.stop();
      await this.#supervision;
    } finally {
      await cleanUp(this.#plan.socketDirectory, this.#ownership);
    }
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stopping;
    let backoffMs = firstBackoffMs;
    while (!signal.aborted) {
      if (this.#server !== undefined && (await this.#watch(this.#server)) > steadyMs) backoffMs = firstBackoffMs;
      await delay(backoffMs, undefined, { signal }).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, longestBackoffMs);
      if (!signal.aborted) await this.#startAgain(signal);
    }
  }

  /** Waits for the server's end and answers how many milliseconds it lived. */
  async #watch(server: PostgresServer): Promise<number> {
    const since = performance.now();
    const ending = await server.ended;
    this.#server = undefined;
    if (!this.#stopping.signal.aborted) {
      this.#plan.log.error({ postgresPid: server.pid, ending }, "Postgres ended unasked; starting it again");
    }
    return performance.now() - since;
  }

  async #startAgain(signal: AbortSignal): Promise<void> {
    try {
      const server = await startServer(this.#plan, signal);
      this.#server = server;
      if (signal.aborted) await server.stop();
      else this.#plan.log.info({ postgresPid: server.pid }, "Postgres is back");
    } catch (error) {
      if (!signal.aborted) this.#plan.log.error({ reason: reasonOf(error) }, "Postgres did not start; trying again");
    }
  }
}

/** Starts Postgres on the data directory; throws an EmbeddedPostgresError that says what to do where it cannot. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const directory = await openDataDirectory(options.dataDirectory);
  const ownership = await takeOwnership(directory);
  const socketDirectory = await makeSocketDirectory().catch(async (error: unknown) => {
    await ownership.release();
    throw error;
  });
  const plan = { binaries, directory, socketDirectory, settings: options.settings ?? {}, log: options.log };
  try {
    await ownership.announce({ pid: process.pid, serviceAddress: options.serviceAddress, socketDirectory });
    if (ownership.previous !== undefined) await removeSocketDirectory(ownership.previous.socketDirectory);
    return new EmbeddedPostgres(plan, ownership, await startFirst(plan, binaries));
  } catch (error) {
    await cleanUp(socketDirectory, ownership);
    throw error;
  }
}

async function startFirst(plan: ServerPlan, binaries: PostgresBinaries): Promise<PostgresServer> {
  await boundLog(plan.directory.log);
  await prepareCluster(plan.directory, binaries);
  const server = await startServer(plan, new AbortController().signal);
  try {
    await ensureDatabase(connectionThrough(plan.socketDirectory));
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function cleanUp(socketDirectory: string, ownership: Ownership): Promise<void> {
  await removeSocketDirectory(socketDirectory);
  await ownership.release();
}
