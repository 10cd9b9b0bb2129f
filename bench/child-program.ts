// A program as a process of its own, which its parent gives commands, and which answers each with one message.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The commands of a program, and what it answers. */
type Answers = Record<string, unknown>;

/** A running program; disposing of it ends it. */
export class ChildProgram<A extends Answers> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #failed: Promise<never>;

  /** Starts a program of `bench/`, such as "flood/traffic.ts", which gets the order as its argument. */
  constructor(file: string, order: unknown) {
    const path = fileURLToPath(new URL(`./${file}`, import.meta.url));
    this.#child = fork(path, [JSON.stringify(order)], { serialization: "advanced" });
    this.#failed = once(this.#child, "exit").then(([code, signal]) => {
      throw new Error(`${file} ended (exit code ${code}, signal ${signal})`);
    });
    this.#failed.catch(() => undefined);
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Gives a command and waits for the answer; throws when the program ends before it. One at a time. */
  async ask<Name extends keyof A & string>(command: Name): Promise<A[Name]> {
    const answered = once(this.#child, "message");
    this.#child.send(command);
    const [{ answer }] = await Promise.race([answered, this.#failed]);
    return answer as A[Name]; // By the type of answerCommands, which the program uses.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#failed.catch(() => undefined);
  }
}

/** Answers the commands of the parent, and ends when it is gone; for the program. */
export function answerCommands<A extends Answers>(
  commands: {
    readonly [Name in keyof A]: () => A[Name] | Promise<A[Name]>;
  },
): void {
  process.on("message", async (name: string) => process.send?.({ answer: await commands[name]?.() }));
  process.on("disconnect", () => process.exit());
}

/** What the parent gave as the order; for the program. */
export function readOrder<Order>(): Order {
  return JSON.parse(process.argv[2] ?? ""); // Written by ChildProgram.
}
