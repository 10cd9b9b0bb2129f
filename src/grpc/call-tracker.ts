import { setImmediate as endOfTurn } from "node:timers/promises";
import { shuttingDown, tooManyCalls } from "../domain/errors.ts";
import type { CallContext } from "./call-context.ts";

/** What is counted apart: calls with one answer, and listings, which last as long as their readers want. */
export type CallKind = "calls" | "listings";

/** How many of each kind may be in flight. */
export type CallLimits = Readonly<Record<CallKind, number>>;

/**
 * The calls of a server: no more than it can bear, and until it shuts down gracefully, when unary ones finish and streams
 * are told to end.
 */
export class CallTracker {
  readonly #limits: CallLimits;
  readonly #open = { calls: 0, listings: 0 };
  readonly #streams = new Set<CallContext>();
  readonly #idle = Promise.withResolvers<void>();
  #draining = false;

  constructor(limits: CallLimits = { calls: Infinity, listings: Infinity }) {
    this.#limits = limits;
  }

  /**
   * Refuses every new call, and ends each open stream after the message under way: UNAVAILABLE with the
   * reason SHUTTING_DOWN, so that its client resumes elsewhere with the token that it already has.
   */
  drain(): void {
    this.#draining = true;
    for (const stream of this.#streams) stream.abort(shuttingDown());
    this.#settle();
  }

  /** Resolves once a drain has begun and every call is over; then nothing is lost by cutting the connections. */
  async whenIdle(): Promise<void> {
    await this.#idle.promise;
    // Node writes a call's last frames at the end of the turn in which grpc-js says that it is over.
    await endOfTurn();
  }

  /**
   * Counts a call until what this returns is called; for the gate.
   *
   * @throws RegistryError SHUTTING_DOWN during a drain, TOO_MANY_CALLS at the limit.
   */
  admit(kind: CallKind): () => void {
    if (this.#draining) throw shuttingDown();
    const limit = this.#limits[kind];
    if (this.#open[kind] >= limit) throw tooManyCalls(kind, limit);
    this.#open[kind] += 1;
    return () => {
      this.#open[kind] -= 1;
      this.#settle();
    };
  }

  /** Holds an open stream until it is released; for the adapter. */
  hold(stream: CallContext): void {
    this.#streams.add(stream);
    if (this.#draining) stream.abort(shuttingDown());
  }

  /** Forgets a stream that has ended; for the adapter. */
  release(stream: CallContext): void {
    this.#streams.delete(stream);
  }

  #settle(): void {
    if (this.#draining && this.#open.calls + this.#open.listings === 0) this.#idle.resolve();
  }
}
