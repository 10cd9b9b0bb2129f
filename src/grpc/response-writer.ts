import type { ServerWritableStream } from "@grpc/grpc-js";
import type { CallContext } from "./call-context.ts";
import type { Place } from "./call-tracker.ts";

/**
 * Writes the responses of one stream, one at a time: however slowly the client reads, at most one response
 * is under way. grpc-js's own buffer would take sixteen of any size.
 */
export class ResponseWriter {
  readonly #call: ServerWritableStream<unknown, Buffer>;
  readonly #signal: AbortSignal;
  readonly #place: Place;
  #bytesUnderWay = 0;
  #resume: (() => void) | undefined;

  constructor(call: ServerWritableStream<unknown, Buffer>, { signal, place }: CallContext) {
    this.#call = call;
    this.#signal = signal;
    this.#place = place;
    // After a cancellation neither the callback of the write nor a drain event ever comes.
    signal.addEventListener("abort", () => this.#resume?.());
  }

  /** Resolves when no more than so many bytes are under way; throws the signal's reason as soon as that aborts. */
  async whenUnderWay(maxBytes: number): Promise<void> {
    if (this.#bytesUnderWay > maxBytes && !this.#signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resume = resolve;
      await promise;
    }
    this.#signal.throwIfAborted();
  }

  /** Sends a response on its way, when none is. */
  write(bytes: Buffer): void {
    this.#bytesUnderWay = bytes.length;
    this.#place.beginWaiting();
    this.#call.write(bytes, this.#onWritten);
  }

  readonly #onWritten = (): void => {
    this.#bytesUnderWay = 0;
    this.#place.endWaiting();
    this.#resume?.();
  };
}
