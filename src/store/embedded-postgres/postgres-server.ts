// One run of the server: from the moment the cluster is free to the moment the process has ended.

import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { PostgresBinaries } from "./binaries.ts";
import type { DataDirectory } from "./data-directory.ts";
import { EmbeddedPostgresError, useDatabaseUrl } from "./embedded-postgres-error.ts";
import { type Ending, type GuardedProcess, spawnGuarded } from "./guard.ts";
import type { Logger } from "./logger.ts";
import { isPostmasterOf, readPostmasterFile, stopPostmaster } from "./postmaster.ts";
import { logSize, readLogTail } from "./server-log.ts";
import { clearSocketDirectory, port } from "./socket-directory.ts";

/** What a run of the server needs. */
export interface ServerPlan {
  readonly binaries: PostgresBinaries;
  readonly directory: DataDirectory;
  readonly socketDirectory: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: Logger;
}

const stallMs = 60_000;
const reportMs = 5_000;
const survivorPatienceMs = 30_000;

/** A server that answers, until it ends. */
export class PostgresServer {
  readonly #plan: ServerPlan;
  readonly #process: GuardedProcess;

  constructor(plan: ServerPlan, process: GuardedProcess) {
    this.#plan = plan;
    this.#process = process;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get ended(): Promise<Ending> {
    return this.#process.ended;
  }

  /** Stops it fast, which rolls back what is open and needs no recovery; by force where that takes too long. */
  async stop(): Promise<void> {
    await stopProcess(this.#process);
    await freeCluster(this.#plan);
  }
}

/** Starts the server and waits until it accepts connections; the signal gives up on it. */
export async function startServer(plan: ServerPlan, signal: AbortSignal): Promise<PostgresServer> {
  const deadline = performance.now() + survivorPatienceMs;
  for (;;) {
    await freeCluster(plan);
    const attempt = await tryToStart(plan, signal);
    if (attempt instanceof PostgresServer) return attempt;
    signal.throwIfAborted();
    // Backends whose postmaster was killed still hold its shared memory for a moment.
    if (!attempt.includes("is still in use") || performance.now() > deadline) throw startFailed(plan, attempt);
    await delay(50);
  }
}

/** Stops a postmaster that a dead service left on the cluster. */
async function freeCluster({ directory, log }: ServerPlan): Promise<void> {
  const file = await readPostmasterFile(directory.cluster);
  if (file === undefined || !(await isPostmasterOf(file.pid, directory.cluster))) return;
  log.warn({ postgresPid: file.pid }, "stopping a Postgres that lost its guard");
  if (await stopPostmaster(file.pid, async () => !(await isPostmasterOf(file.pid, directory.cluster)))) return;
  throw doesNotEnd(file.pid);
}

/** The running server, or the last lines of its log where it ended early. */
async function tryToStart(plan: ServerPlan, signal: AbortSignal): Promise<PostgresServer | string> {
  const { directory } = plan;
  await clearSocketDirectory(plan.socketDirectory);
  const logStart = await logSize(directory.log);
  const child = await spawnServer(plan);
  try {
    if (await waitUntilReady(child, plan, signal)) return new PostgresServer(plan, child);
  } catch (error) {
    await stopProcess(child);
    throw error;
  }
  return `${await readLogTail(directory.log, logStart)}\n(${await child.ended})`;
}

async function spawnServer(plan: ServerPlan): Promise<GuardedProcess> {
  const { binaries, directory } = plan;
  const stale = await readPostmasterFile(directory.cluster);
  // Postgres takes a live pid in postmaster.pid for a postmaster, unless it is its own grandparent's.
  const environment: Record<string, string> = stale === undefined ? {} : { PG_GRANDPARENT_PID: String(stale.pid) };
  const log = await open(directory.log, "a", 0o600);
  try {
    const command = [binaries.postgres, "-D", directory.cluster, ...settingArguments(plan)] as const;
    return await spawnGuarded(command, { outputFd: log.fd, environment });
  } finally {
    await log.close();
  }
}

function settingArguments({ socketDirectory, settings }: ServerPlan): string[] {
  const all = {
    listen_addresses: "",
    port: String(port),
    unix_socket_directories: `"${socketDirectory}"`,
    unix_socket_permissions: "0700",
    max_connections: "100",
    shared_buffers: "128MB",
    log_timezone: "UTC",
    timezone: "UTC",
    // What a statement does wrong its client is told; a duplicate version is no event of the server.
    log_min_error_statement: "panic",
    log_checkpoints: "off",
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** True once the server accepts connections, false if it ended before; throws when it makes no progress any more. */
async function waitUntilReady(child: GuardedProcess, plan: ServerPlan, signal: AbortSignal): Promise<boolean> {
  const { directory, log } = plan;
  let nextReport = performance.now() + reportMs;
  let progress = { size: await logSize(directory.log), at: performance.now() };
  while (!child.hasEnded) {
    signal.throwIfAborted();
    const file = await readPostmasterFile(directory.cluster);
    if (file?.pid === child.pid && file.isReady) return true;
    const [now, size] = [performance.now(), await logSize(directory.log)];
    if (size !== progress.size) progress = { size, at: now };
    if (now - progress.at > stallMs) throw startStalled(plan);
    if (now > nextReport) {
      log.info({ postgresLog: directory.log }, "waiting for Postgres to recover its data");
      nextReport = now + reportMs;
    }
    await delay(5);
  }
  return false;
}

async function stopProcess(child: GuardedProcess): Promise<void> {
  child.interrupt();
  if (child.hasEnded || (await stopPostmaster(child.pid, () => child.hasEnded))) return;
  throw doesNotEnd(child.pid);
}

function doesNotEnd(pid: number): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `the embedded Postgres (process ${pid}) does not end, not even by force; end it by hand, or ${useDatabaseUrl}`,
  );
}

function startFailed({ directory }: ServerPlan, tail: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `the embedded Postgres did not start on ${directory.path}; mend what it says, or ${useDatabaseUrl}:\n${tail}`,
  );
}

function startStalled({ directory }: ServerPlan): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `the embedded Postgres on ${directory.path} made no progress for ${stallMs / 1000} s while starting; ` +
      `see ${directory.log}, or ${useDatabaseUrl}`,
  );
}
