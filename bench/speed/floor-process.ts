// A server that the service is compared with, as a process of its own, started by the service's own start command.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { start } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).scripts as {
  start: string;
};

/** A running server; disposing of it ends it. */
export class FloorProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** host:port where it listens. */
  readonly address: string;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.address = address;
  }

  /** Starts a server of this folder, which gets the order as its argument; throws when it ends before it listens. */
  static async start(file: string, order: unknown): Promise<FloorProcess> {
    const command = start.replace("bin/stele.mjs serve", `bench/speed/${file} "$1"`);
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
    const child = spawn("/bin/sh", ["-c", command, "sh", JSON.stringify(order)], {
      cwd: root,
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    for await (const address of createInterface(child.stdout)) return new FloorProcess(child, address);
    throw new Error(`${file} ended before it listened`);
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
