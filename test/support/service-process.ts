// The service as a process of its own, the way a person starts it, for tests that send signals to it or speak to it
// from elsewhere. Every wait is bounded, and every failure shows what the process wrote.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { start } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts as { start: string };
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/** A running service, until it is stopped or killed; disposing of it stops what still runs. */
export class ServiceProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #ownDirectory: string | undefined;
  readonly #dataDirectory: string;
  #stdout = "";
  #stderr = "";
  #address = "";

  /** Starts the program and no more: `startServiceProcess` waits until it listens. */
  constructor(env: NodeJS.ProcessEnv, ownDirectory?: string) {
    const path = `${dirname(process.execPath)}${delimiter}${env["PATH"]}`;
    const options = { cwd: root, env: { ...env, PATH: path } };
    const child = spawn("/bin/sh", ["-c", start], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.#child = child;
    this.#closed = once(child, "close");
    this.#ownDirectory = ownDirectory;
    this.#dataDirectory = env["STELE_DATA_DIR"] ?? "";
  }

  /** host:port where it listens. */
  get address(): string {
    return this.#address;
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Where its embedded Postgres keeps the data. */
  get dataDirectory(): string {
    return this.#dataDirectory;
  }

  /** What it has written to standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it has written to standard error so far: its log. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for the greeting; throws when the process ends before it, or after 60 s. */
  async listening(): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    while (!this.#stdout.includes("\n")) {
      if (performance.now() > deadline) throw this.#failure(`did not listen within ${startTimeoutMs} ms`);
      if (await this.#closesWithin(10)) throw this.#failure("ended before it listened");
    }
    const address = /^Stele \S+ listens on (\S+), /.exec(this.#stdout)?.[1];
    if (address === undefined) throw this.#failure("did not say where it listens");
    this.#address = address;
  }

  /** Asks it to end and answers its exit code; kills it and throws when it takes longer than 30 s. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<number> {
    this.#child.kill(signal);
    if (!(await this.#closesWithin(stopTimeoutMs))) {
      await this.kill();
      throw this.#failure(`did not end within ${stopTimeoutMs} ms of ${signal}`);
    }
    const { exitCode } = this.#child;
    if (exitCode === null) throw this.#failure("was ended by a signal");
    return exitCode;
  }

  /** Ends it at once (kill -9) and answers when it is gone; a process that has ended stays as it is. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) await this.stop();
    // The Postgres of a killed service may still be writing its last files.
    if (this.#ownDirectory !== undefined)
      await rm(this.#ownDirectory, { recursive: true, force: true, maxRetries: 10 });
  }

  async #closesWithin(timeoutMs: number): Promise<boolean> {
    const timer = new AbortController();
    const expired = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
    const isClosed = await Promise.race([this.#closed.then(() => true), expired]);
    timer.abort();
    return isClosed;
  }

  #failure(what: string): Error {
    const { exitCode, signalCode } = this.#child;
    const ending = `exit code ${exitCode}, signal ${signalCode}`;
    return new Error(`the service ${what} (${ending})\nstdout: ${this.#stdout}\nstderr: ${this.#stderr}`);
  }
}

/**
 * Starts the service and waits until it listens. Its environment is this process's without STELE_* and DATABASE_URL,
 * and with `env`: its port is the system's choice, and unless `env` names where the data is, it is in a directory that
 * goes away when the process is disposed of.
 *
 * @throws Error with everything that the process wrote, when it ends before it listens or takes longer than 60 s.
 */
export async function startServiceProcess(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  const bringsData = env["STELE_DATA_DIR"] !== undefined || env["DATABASE_URL"] !== undefined;
  const ownDirectory = bringsData ? undefined : await mkdtemp(join(tmpdir(), "stele-service-"));
  const ownData = ownDirectory === undefined ? {} : { STELE_DATA_DIR: ownDirectory };
  const service = new ServiceProcess(
    { ...plainEnvironment(), STELE_LISTEN: "127.0.0.1:0", STELE_LOG_CALLS: "false", ...ownData, ...env },
    ownDirectory,
  );
  try {
    await service.listening();
    return service;
  } catch (error) {
    await service.kill();
    await service[Symbol.asyncDispose]();
    throw error;
  }
}

// The settings of the person who runs the tests are not those of the service under test.
function plainEnvironment(): NodeJS.ProcessEnv {
  const isSetting = (name: string) => name.startsWith("STELE_") || name === "DATABASE_URL";
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}
