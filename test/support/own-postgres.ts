// A Postgres of a test's own, from the embedded programs, that can be stopped, killed, frozen and copied.

import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { findBinaries } from "../../src/store/embedded-postgres/binaries.ts";
import { prepareCluster } from "../../src/store/embedded-postgres/cluster.ts";
import { openDataDirectory } from "../../src/store/embedded-postgres/data-directory.ts";
import {
  type PostgresServer,
  type ServerPlan,
  startServer,
} from "../../src/store/embedded-postgres/postgres-server.ts";
import {
  makeSocketDirectory,
  port,
  removeSocketDirectory,
} from "../../src/store/embedded-postgres/socket-directory.ts";
import { migrate } from "../../src/store/migrate.ts";
import { type PostgresConnection, testRoles } from "./postgres-setup.ts";

/** Settings of the server, by name. */
type Settings = Readonly<Record<string, string>>;

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A server on a cluster of its own, which `create` leaves stopped; disposing of it removes the cluster. */
export class OwnPostgres implements AsyncDisposable {
  /** As the superuser. */
  readonly connection: PostgresConnection;
  readonly #plan: Omit<ServerPlan, "settings">;
  #server: PostgresServer | undefined;

  private constructor(plan: Omit<ServerPlan, "settings">) {
    this.#plan = plan;
    this.connection = { host: plan.socketDirectory, port, user: "stele", database: "postgres" };
  }

  /** An empty cluster. */
  static async create(): Promise<OwnPostgres> {
    const directory = await openDataDirectory(await mkdtemp(join(tmpdir(), "stele-own-postgres-")));
    const binaries = await findBinaries();
    await prepareCluster(directory, binaries);
    return new OwnPostgres({ binaries, directory, socketDirectory: await makeSocketDirectory(), log: silent });
  }

  /** A standby that is a copy of this stopped server, and follows it from its own start on. */
  async createStandby(): Promise<OwnPostgres> {
    const standby = await OwnPostgres.create();
    const { cluster } = standby.#plan.directory;
    await rm(cluster, { recursive: true });
    await cp(this.#plan.directory.cluster, cluster, { recursive: true, verbatimSymlinks: true });
    await writeFile(join(cluster, "standby.signal"), "");
    const { host, user } = this.connection;
    const settings = [
      `primary_conninfo = 'host=${host} port=${port} user=${user} application_name=standby'`,
      "wal_retrieve_retry_interval = 100ms",
    ];
    await appendFile(join(cluster, "postgresql.conf"), `\n${settings.join("\n")}\n`);
    return standby;
  }

  /** Where its cluster is. */
  get cluster(): string {
    return this.#plan.directory.cluster;
  }

  /** A DATABASE_URL for the service, as the service role. */
  get url(): string {
    const { host, database } = this.connection;
    return `postgres://${testRoles.service}@${encodeURIComponent(host)}:${port}/${database}`;
  }

  /** Starts it; it must be stopped. */
  async start(settings: Settings = {}): Promise<void> {
    this.#server = await startServer({ ...this.#plan, settings }, new AbortController().signal);
  }

  /** A handle as the superuser, for the caller to close. */
  open(): Database {
    return openDatabase({ connection: this.connection, onConnectionError: () => undefined });
  }

  /** Gives its database the schema. */
  async migrate(): Promise<void> {
    await using database = this.open();
    await migrate(database, testRoles);
  }

  /** Stops it fast. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Ends it at once (kill -9). */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    process.kill(server.pid, "SIGKILL");
    await server.ended;
  }

  /** Stops all its processes in their tracks, and answers what lets them go on. */
  async freeze(): Promise<() => void> {
    const pids = await processTree(this.#server?.pid ?? process.pid);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    return () => {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await removeSocketDirectory(this.#plan.socketDirectory);
    await rm(this.#plan.directory.path, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function processTree(pid: number): Promise<number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  return [pid, ...children.map(Number)];
}
