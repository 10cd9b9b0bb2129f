import { setImmediate as endOfTurn } from "node:timers/promises";
import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { shuttingDown } from "../domain/errors.ts";
import type { CallContext } from "./call-context.ts";

/** The calls of a server that shuts down gracefully: unary ones finish, streams are told to end. */
export class CallTracker {
  readonly #streams = new Set<CallContext>();
  readonly #idle = Promise.withResolvers<void>();
  #openCalls = 0;
  #draining = false;

  /**
   * Refuses every new call, and ends each open stream after the message under way: UNAVAILABLE with the
   * reason SHUTTING_DOWN, so that its client resumes elsewhere with the token that it already has.
   */
  drain(): void {
    this.#draining = true;
    for (const stream of this.#streams) stream.abort(shuttingDown());
    if (this.#openCalls === 0) this.#idle.resolve();
  }

  /** Resolves once a drain has begun and every call is over; then nothing is lost by cutting the connections. */
  async whenIdle(): Promise<void> {
    await this.#idle.promise;
    // Node writes a call's last frames at the end of the turn in which grpc-js says that it is over.
    await endOfTurn();
  }

  /** Counts a call until its status is sent; throws SHUTTING_DOWN during a drain. For the adapter. */
  admit(call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>): void {
    this.#openCalls += 1;
    // grpc-js emits this after every call, the successful ones included.
    call.once("cancelled", this.#onEnd);
    if (this.#draining) throw shuttingDown();
  }

  /** Holds an open stream until it is released; for the adapter. */
  hold(stream: CallContext): void {
    this.#streams.add(stream);
  }

  /** Forgets a stream that has ended; for the adapter. */
  release(stream: CallContext): void {
    this.#streams.delete(stream);
  }

  readonly #onEnd = (): void => {
    this.#openCalls -= 1;
    if (this.#draining && this.#openCalls === 0) this.#idle.resolve();
  };
}
