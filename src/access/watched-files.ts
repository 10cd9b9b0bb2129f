// Files that are read again when they change. They are compared by content, once a second: that sees a file that was
// written in place as well as a link that was swapped (as Kubernetes does with secrets), on every file system. A content
// that is no good, because it is half written or wrong, changes nothing: the last good one stays, and the log says why.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const INTERVAL_MS = 1_000;

/** A problem with a file of keys, tokens or rights, in words for the person who wrote it; never with what is secret. */
export class AccessError extends Error {
  override readonly name = "AccessError";
}

/** Where it is told that a file was read again, or could not be; a pino logger is one. */
export interface AccessLog {
  info(context: object, message: string): void;
  warn(context: object, message: string): void;
}

/** How the files are read. */
export interface FilesOptions<T> {
  readonly paths: readonly string[];
  /** What the contents mean, in the order of the paths; throws an AccessError when they mean nothing good. */
  readonly parse: (contents: readonly Buffer[]) => T;
  readonly log: AccessLog;
  /** Ends the watching. */
  readonly signal: AbortSignal;
}

/** What some files mean, always the last that was good. */
export class WatchedFiles<T> {
  readonly #options: FilesOptions<T>;
  #contents: readonly Buffer[];
  #current: T;
  #onChange: ((current: T) => void) | undefined;

  private constructor(options: FilesOptions<T>, contents: readonly Buffer[]) {
    this.#options = options;
    this.#contents = contents;
    this.#current = options.parse(contents);
  }

  /**
   * Reads the files and watches them until the signal aborts.
   *
   * @throws AccessError when they cannot be read, or mean nothing good.
   */
  static async open<T>(options: FilesOptions<T>): Promise<WatchedFiles<T>> {
    const files = new WatchedFiles(options, await readAll(options.paths));
    void files.#watch();
    return files;
  }

  /** What the files mean now. */
  get current(): T {
    return this.#current;
  }

  /** Calls the one listener with what the files mean now, and again whenever that has changed. */
  follow(listener: (current: T) => void): void {
    if (this.#onChange !== undefined) throw new Error("the files are followed already");
    this.#onChange = listener;
    listener(this.#current);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#options;
    let complaint = "";
    while (await passes(INTERVAL_MS, signal)) {
      try {
        await this.#readAgain();
        complaint = "";
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        // Said once, not every second.
        if (reason !== complaint) this.#tell("warn", `${reason}; what was read before stays in force`);
        complaint = reason;
      }
    }
  }

  async #readAgain(): Promise<void> {
    const contents = await readAll(this.#options.paths);
    if (this.#options.signal.aborted) return;
    if (contents.every((content, index) => content.equals(this.#contents[index] ?? Buffer.alloc(0)))) return;
    const next = this.#options.parse(contents);
    this.#onChange?.(next);
    this.#contents = contents;
    this.#current = next;
    this.#tell("info", "read again");
  }

  #tell(level: "info" | "warn", message: string): void {
    this.#options.log[level]({ files: this.#options.paths }, message);
  }
}

async function readAll(paths: readonly string[]): Promise<Buffer[]> {
  const contents: Buffer[] = [];
  // One after the other, so that the first that cannot be read is named, each time the same.
  for (const path of paths) contents.push(await read(path));
  return contents;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? error.code : "unknown reason";
    throw new AccessError(`cannot read ${path}: ${reason}`);
  }
}

/** Whether the time passed before the signal aborted. */
async function passes(ms: number, signal: AbortSignal): Promise<boolean> {
  return await sleep(ms, true, { signal, ref: false }).catch(() => false);
}
