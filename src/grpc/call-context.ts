import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { cancelled, deadlineExceeded } from "../domain/call-errors.ts";
import type { Caller } from "../domain/caller.ts";
import type { RegistryError } from "../domain/errors.ts";
import { passOf } from "./call-gate.ts";
import type { ObservedCall } from "./call-observer.ts";
import type { Place } from "./call-tracker.ts";

// Timers may fire a little early, and a client that watches its own deadline is ahead of the server by the
// time that the request travelled.
const DEADLINE_SLACK_MS = 10;

/** What a handler knows about its call besides the request. */
export class CallContext {
  readonly #call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;
  #controller: AbortController | undefined;
  #ended = false;

  constructor(call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>) {
    this.#call = call;
  }

  /** Who calls. */
  get caller(): Caller {
    return passOf(this.#call.metadata).caller;
  }

  /** Its place among the calls in flight; for the adapter. */
  get place(): Place {
    return passOf(this.#call.metadata).place;
  }

  /** What is told of it. */
  get observed(): ObservedCall {
    return passOf(this.#call.metadata).observed;
  }

  /** When the client stops waiting; undefined where it said nothing, or more than 24 days. */
  get deadline(): Date | undefined {
    const deadline = this.#call.getDeadline();
    return deadline === Infinity ? undefined : new Date(deadline);
  }

  /**
   * Aborts when the client cancels, is lost or runs out of time, and, for a stream, when the service shuts
   * down; the reason is the RegistryError to answer with. It never aborts once the call has its answer.
   */
  get signal(): AbortSignal {
    this.#controller ??= this.#watch();
    return this.#controller.signal;
  }

  /** Why the signal aborted, if it did: what an AbortError of the handler stands for. */
  get abortReason(): unknown {
    return this.#controller?.signal.reason;
  }

  /**
   * Throws DEADLINE_EXCEEDED when it is too late to begin; for the adapter. grpc-js starts a handler also when the
   * deadline passed while the request was still arriving, and never tells it that the call is over.
   */
  throwIfPastDeadline(): void {
    if (Date.now() >= Number(this.#call.getDeadline())) throw deadlineExceeded();
  }

  /** Aborts the signal; for the adapter. */
  abort(reason: RegistryError): void {
    if (this.#ended) return;
    this.#controller ??= this.#watch();
    this.#controller.abort(reason);
  }

  /** The call has its answer, and the signal stays as it is; for the adapter. */
  end(): void {
    this.#ended = true;
  }

  #watch(): AbortController {
    const controller = new AbortController();
    // grpc-js emits this after every call, the successful ones included.
    const onCancelled = () => {
      const isLate = Date.now() >= Number(this.#call.getDeadline()) - DEADLINE_SLACK_MS;
      if (!this.#ended) controller.abort(isLate ? deadlineExceeded() : cancelled());
    };
    if (this.#call.cancelled) onCancelled();
    else this.#call.once("cancelled", onCancelled);
    return controller;
  }
}
