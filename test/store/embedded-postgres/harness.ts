import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Connection } from "../../../src/store/embedded-postgres/application-database.ts";
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../../src/store/embedded-postgres/embedded-postgres.ts";
import type { Logger } from "../../../src/store/embedded-postgres/logger.ts";

/** Whether the tests run as root, on Linux: there Postgres runs in a user namespace. */
export const isLinuxRoot = process.platform === "linux" && process.geteuid?.() === 0;

/** The address that services of these tests give. */
export const serviceAddress = "127.0.0.1:50051";

/** A folder that goes away with the test; others may enter it. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "stele-test-")));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10 }) };
}

/** A logger that remembers the messages of one level and above nothing else. */
export function recordingLog(): Logger & { readonly messages: string[] } {
  const messages: string[] = [];
  const record = (_details: object, message: string) => void messages.push(message);
  return { messages, info: record, warn: record, error: record };
}

/** Starts Postgres in this process. */
export function start(
  dataDirectory: string,
  options: { log?: Logger; settings?: Record<string, string> } = {},
): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDirectory, serviceAddress, log: recordingLog(), ...options });
}

/** The first column of the first row, over a connection of its own. */
export async function query(connection: Connection, sql: string): Promise<unknown> {
  const client = new pg.Client(connection);
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

type Attempt<T> = T | undefined | false;

/** Repeats until the check answers something other than undefined or false, or throws the last failure after 20 s. */
export async function eventually<T>(check: () => Attempt<T> | Promise<Attempt<T>>): Promise<T> {
  const deadline = performance.now() + 20_000;
  let failure: unknown = new Error("it did not come true within 20 s");
  while (performance.now() < deadline) {
    try {
      const answer = await check();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      failure = error;
    }
    await delay(10);
  }
  throw failure;
}

/** How to run a service in a process of its own. */
export interface ServiceOptions {
  readonly program?: string;
  readonly node?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly uid?: number;
}

/** What a service says once it is up, or why it is not. */
export interface Outcome {
  readonly connection?: Connection;
  readonly postmasterPid?: number;
  readonly refusal?: string;
}

/** A service in a process, and a process group, of its own. */
export class ServiceProcess implements AsyncDisposable {
  readonly pid: number;
  readonly outcome: Promise<Outcome>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(dataDirectory: string, options: ServiceOptions = {}) {
    const { program = fileURLToPath(new URL("service.ts", import.meta.url)), node = process.execPath } = options;
    const child = spawn(node, [program, dataDirectory, serviceAddress], {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    this.#ended = once(child, "exit");
    this.outcome = readOutcome(child);
    this.outcome.catch(() => {});
  }

  /** The connection and the pid of the running server. */
  async running(): Promise<{ connection: Connection; postmasterPid: number }> {
    const { connection, postmasterPid, refusal } = await this.outcome;
    if (connection === undefined || postmasterPid === undefined) throw new Error(refusal ?? "not running");
    return { connection, postmasterPid };
  }

  /** Ends the service like the kernel short of memory does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    const { connection, postmasterPid } = await this.outcome.catch((): Outcome => ({}));
    if (postmasterPid !== undefined) await eventually(() => !isRunning(postmasterPid));
    if (connection !== undefined) await rm(connection.host, { recursive: true, force: true });
  }
}

async function readOutcome(child: ChildProcess): Promise<Outcome> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.endsWith("\n")) return JSON.parse(text);
  }
  throw new Error("the service ended without a word");
}

/** Whether a process exists and is no zombie, which lasts for as long as its parent likes. */
export function isRunning(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return /^[^Z]/.test(stdout.trim());
}

/** The parent of a process, and its other children: the guard of a postmaster, and the guard's watcher. */
export function guardOf(postmasterPid: number): { guard: number; watcher: number } {
  const processes = listProcesses();
  const guard = processes.find(({ pid }) => pid === postmasterPid)?.parent;
  const watcher = processes.find(({ pid, parent }) => parent === guard && pid !== postmasterPid)?.pid;
  if (guard === undefined || watcher === undefined) throw new Error("the server has no guard");
  return { guard, watcher };
}

function listProcesses(): { pid: number; parent: number }[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return { pid, parent };
  });
}
