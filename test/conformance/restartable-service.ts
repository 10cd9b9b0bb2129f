import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";

/** A service that goes and comes back with the same address and the same data. */
export class RestartableService implements AsyncDisposable {
  readonly #dataDirectory: string;
  /** The last start, which may be under way. */
  #process: Promise<ServiceProcess>;

  private constructor(dataDirectory: string, process: Promise<ServiceProcess>) {
    this.#dataDirectory = dataDirectory;
    this.#process = process;
  }

  /** Starts one with a data directory of its own. */
  static async start(): Promise<RestartableService> {
    const dataDirectory = await mkdtemp(join(tmpdir(), "stele-restartable-"));
    return new RestartableService(dataDirectory, startServiceProcess(settings(dataDirectory)));
  }

  /** host:port, once it listens. */
  async address(): Promise<string> {
    return (await this.#process).address;
  }

  /** `stop` asks it to end, `kill` ends it, and both wait until it is gone; `start` does not wait until it listens. */
  async control(action: "stop" | "kill" | "start"): Promise<void> {
    const process = await this.#process;
    if (action === "stop") await process.stop();
    if (action === "kill") await process.kill();
    if (action !== "start") return;
    this.#process = startServiceProcess({ ...settings(this.#dataDirectory), STELE_LISTEN: process.address });
    // Whoever asks next is told.
    this.#process.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using process = await this.#process;
    process satisfies ServiceProcess;
    await rm(this.#dataDirectory, { recursive: true, force: true, maxRetries: 10 });
  }
}

// A listing that its client does not read makes a stop take all of the grace.
function settings(dataDirectory: string): Record<string, string> {
  return { STELE_DATA_DIR: dataDirectory, STELE_SHUTDOWN_GRACE_SECONDS: "1" };
}
