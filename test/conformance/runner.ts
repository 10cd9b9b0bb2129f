import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

/** A program and its first arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** What a runner says to a request. */
export interface Answer {
  readonly answer?: unknown;
  readonly done?: boolean;
  readonly error?: Readonly<Record<string, unknown>>;
}

declare global {
  interface JSON {
    /** A text that is written as it is (a proposal at stage 4, which TypeScript does not know yet). */
    rawJSON(text: string): unknown;
  }
}

const PATIENCE_MS = 120_000;

/** A running program that does what it is told through the client of its language; README.md has its protocol. */
export class Runner implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  #log = "";

  constructor([program, ...args]: Command) {
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-20_000);
    });
    this.#child.on("error", (error) => {
      this.#log += error.message;
    });
    this.#child.stdin.on("error", () => {});
    this.#lines = splitLines(this.#child.stdout.setEncoding("utf8"));
  }

  /** Sends a request and waits for its answer; throws with the runner's log when none comes within two minutes. */
  async ask(request: object): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(request, withNegativeZero)}\n`);
    const late = new Promise<IteratorResult<string>>((resolve) => {
      setTimeout(() => resolve({ done: true, value: undefined }), PATIENCE_MS).unref();
    });
    const { value, done } = await Promise.race([this.#lines.next(), late]);
    if (done) throw new Error(`the runner did not answer ${JSON.stringify(request)}\n${this.#log}`);
    return JSON.parse(value);
  }

  /** Ends it, as the end of its input does; throws with its log when it does not end well. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      this.#child.stdin.end();
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
      await once(this.#child, "close");
      clearTimeout(timer);
    }
    if (this.#child.exitCode !== 0) {
      throw new Error(`the runner ended with ${this.#child.exitCode ?? this.#child.signalCode}\n${this.#log}`);
    }
  }
}

// node:readline would also end lines at U+2028 and U+2029, which JSON texts may hold.
async function* splitLines(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of texts) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

// JSON.stringify writes -0 as 0, which is other content to a client that computes a digest.
function withNegativeZero(_key: string, value: unknown): unknown {
  return Object.is(value, -0) ? JSON.rawJSON("-0.0") : value;
}
