// The program of the load generator in Node: callers in a closed loop, straight over node:http2. Its parent asks for a
// slice again and again; connections and numbers that were used stay.

import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { answerCommands, readOrder } from "../child-program.ts";
import { countEntries } from "../list-response.ts";
import { type BodyOrder, makeBodies } from "./bodies.ts";
import type { Slice } from "./contest.ts";
import { callRaw, type MessageListener } from "./grpc-call.ts";
import type { Concurrency } from "./h2load.ts";

/** What the program is told when it starts. */
export interface NodeLoadOrder extends Concurrency {
  readonly address: string;
  readonly path: string;
  readonly bodies: BodyOrder;
  /** What is counted: calls, calls that end with their first message, or the entries of listings. */
  readonly unit: "call" | "first message" | "entry";
  /** How long a slice is. */
  readonly seconds: number;
}

/** The commands of the program. */
export interface NodeLoadAnswers extends Record<string, unknown> {
  readonly run: Slice;
}

const { address, path, bodies, unit, connections, streams, seconds } = readOrder<NodeLoadOrder>();
const nextBody = makeBodies(bodies);
const sessions = Array.from({ length: connections }, () => connect(`http://${address}`));

const SETTLE_MS = 20;

/** What the callers of a slice have in common. */
class SliceOfCalls {
  readonly #startedAt = performance.now();
  readonly #endsAt = this.#startedAt + seconds * 1000;
  #units = 0;
  #slowestMs = 0;
  #pausedMs = 0;

  async run(): Promise<Slice> {
    await Promise.all(sessions.flatMap((session) => Array.from({ length: streams }, () => this.#keepCalling(session))));
    return {
      units: this.#units,
      seconds: (performance.now() - this.#startedAt - this.#pausedMs) / 1000,
      slowestMs: this.#slowestMs,
    };
  }

  async #keepCalling(session: ClientHttp2Session): Promise<void> {
    while (performance.now() < this.#endsAt) {
      const calledAt = performance.now();
      const status = await callRaw(session, { path, body: nextBody() }, this.#listeners[unit]);
      if (status !== "0" && status !== "cancelled") throw new Error(`${path} answered the grpc-status ${status}`);
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - calledAt);
      if (unit !== "entry") this.#units += 1;
      if (status === "cancelled") await this.#settle();
    }
  }

  /** Waits outside of the time that counts, until a listing that was left has ended in the service and in Postgres. */
  async #settle(): Promise<void> {
    const startedAt = performance.now();
    await sleep(SETTLE_MS);
    this.#pausedMs += performance.now() - startedAt;
  }

  readonly #listeners: Readonly<Record<NodeLoadOrder["unit"], MessageListener | undefined>> = {
    call: undefined,
    "first message": () => false,
    entry: (message) => {
      this.#units += countEntries(message);
      return performance.now() < this.#endsAt;
    },
  };
}

answerCommands<NodeLoadAnswers>({ run: async () => await new SliceOfCalls().run() });
