// What is hammered: replicas of the service, each a process with a port of its own, on one Postgres that this process
// supervises. Killed replicas are started again on the same port, so that clients just go on. The first replica reaches
// Postgres through a proxy that can cut its connections, the others directly.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import { type Cut, PostgresProxy } from "../support/postgres-proxy.ts";
import { runProgram } from "../support/program.ts";
import type { Row } from "./history.ts";
import type { Random } from "./random.ts";
import { freePort, Replica } from "./replica.ts";

const program = fileURLToPath(new URL("../../bin/stele.mjs", import.meta.url));

/** The replicas and their Postgres; disposing of it stops everything. */
export class Cluster implements AsyncDisposable {
  readonly kills = { replicas: 0, postgres: 0 };
  readonly #postgres: EmbeddedPostgres;
  readonly #proxy: PostgresProxy;
  readonly #replicas: Replica[] = [];

  constructor(postgres: EmbeddedPostgres) {
    this.#postgres = postgres;
    this.#proxy = new PostgresProxy({ ...postgres.connection, user: readConfig({}).roles.service });
  }

  /** Migrates the database and starts so many replicas, which leave their logs in the folder. */
  async start(folder: string, replicaCount: number): Promise<void> {
    const { service } = readConfig({}).roles;
    await runProgram(process.execPath, [program, "migrate"], {
      env: { DATABASE_URL: this.#urlOf(this.#postgres.connection.user) },
    });
    // The proxy reads the text of statements, which prepared ones do not repeat.
    const cut = { DATABASE_URL: await this.#proxy.listen(), STELE_PREPARED_STATEMENTS: "false" };
    for (let index = 0; index < replicaCount; index += 1) {
      const env = index === 0 ? cut : { DATABASE_URL: this.#urlOf(service) };
      this.#replicas.push(new Replica(await freePort(), env, join(folder, `replica-${index}.log`)));
    }
    await Promise.all(this.#replicas.map((replica) => replica.start()));
  }

  /** How many connections to Postgres were cut. */
  get cuts(): number {
    return this.#proxy.cuts;
  }

  get addresses(): string[] {
    return this.#replicas.map(({ address }) => address);
  }

  /** kill -9 of any replica, which is started again. */
  async killReplica(random: Random): Promise<void> {
    const replica = this.#replicas[random.below(this.#replicas.length)];
    await replica?.kill();
    this.kills.replicas += 1;
    await replica?.start();
  }

  /** kill -9 of the Postgres server, which its supervisor starts again. */
  killPostgres(): void {
    const pid = this.#postgres.postmasterPid();
    if (pid === undefined) return;
    process.kill(pid, "SIGKILL");
    this.kills.postgres += 1;
  }

  /** Cuts the connection of the next INSERT at the replica behind the proxy. */
  cutConnection(cut: Cut): void {
    this.#proxy.cutNext(cut);
  }

  async stopReplicas(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.stop()));
  }

  /** The whole table, once Postgres is there; with the replicas stopped it changes no more. */
  async readRows(): Promise<Row[]> {
    await using database = openDatabase({ connection: this.#postgres.connection, onConnectionError: () => undefined });
    const deadline = performance.now() + 30_000;
    for (;;) {
      try {
        return await selectRows(database);
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.kill()));
    await this.#proxy[Symbol.asyncDispose]();
    await this.#postgres.stop();
  }

  #urlOf(role: string): string {
    const { host, port, database } = this.#postgres.connection;
    return `postgres://${role}@${encodeURIComponent(host)}:${port}/${database}`;
  }
}

/** Starts Postgres in the folder and so many replicas on it, which leave their logs there. */
export async function startCluster(folder: string, replicaCount: number): Promise<Cluster> {
  const log = pino({ level: "info" }, pino.destination({ dest: join(folder, "postgres.log"), sync: true }));
  const dataDirectory = join(folder, "data");
  const postgres = await startEmbeddedPostgres({ dataDirectory, serviceAddress: "none, a hammer run", log });
  const cluster = new Cluster(postgres);
  try {
    await cluster.start(folder, replicaCount);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function selectRows(database: Database): Promise<Row[]> {
  const rows = await database.selectFrom("model_version").selectAll().execute();
  return rows.map(({ model, version, record, digest, registered_at, request_id }) => ({
    model,
    version,
    record: Buffer.from(record).toString("base64"),
    digest: `sha256:${Buffer.from(digest).toString("hex")}`,
    registeredAt: registered_at,
    requestId: request_id ?? undefined,
  }));
}
