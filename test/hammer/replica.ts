import { appendFile } from "node:fs/promises";
import { createServer } from "node:net";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";

/** A replica of the service, running or just killed. */
export class Replica {
  readonly address: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #logFile: string;
  #process: ServiceProcess | undefined;

  constructor(port: number, env: Readonly<Record<string, string>>, logFile: string) {
    this.address = `127.0.0.1:${port}`;
    this.#env = { ...env, STELE_LISTEN: this.address, STELE_LOG_LEVEL: "error" };
    this.#logFile = logFile;
  }

  /** Starts it; without its database it ends at once, and is started again for 30 s. */
  async start(): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (this.#process === undefined) {
      try {
        this.#process = await startServiceProcess(this.#env);
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  /** kill -9; throws when it had ended by itself. */
  async kill(): Promise<void> {
    await this.#end((process) => process.kill());
  }

  /** SIGTERM; throws when it had ended by itself. */
  async stop(): Promise<void> {
    await this.#end(async (process) => void (await process.stop()));
  }

  async #end(how: (process: ServiceProcess) => Promise<void>): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    const isAlive = isRunning(process.pid);
    await how(process);
    await appendFile(this.#logFile, process.stderr);
    if (!isAlive) throw new Error(`a replica ended by itself:\n${process.stderr}`);
  }
}

/** A port outside of those that systems give to clients: none of them may take it while its replica is away. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
