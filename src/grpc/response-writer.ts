import type { ServerWritableStream } from "@grpc/grpc-js";

/**
 * Writes the responses of one stream, one at a time: however slowly the client reads, at most one response
 * is under way. grpc-js's own buffer would take sixteen of any size.
 */
export class ResponseWriter {
  readonly #call: ServerWritableStream<unknown, Buffer>;
  readonly #signal: AbortSignal;
  #isWriting = false;
  #resume: (() => void) | undefined;

  constructor(call: ServerWritableStream<unknown, Buffer>, signal: AbortSignal) {
    this.#call = call;
    this.#signal = signal;
    // After a cancellation neither the callback of the write nor a drain event ever comes.
    signal.addEventListener("abort", () => this.#resume?.());
  }

  /** Resolves when no response is under way; throws the signal's reason as soon as that aborts. */
  async ready(): Promise<void> {
    if (this.#isWriting && !this.#signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resume = resolve;
      await promise;
    }
    this.#signal.throwIfAborted();
  }

  /** Sends a response on its way, after ready(). */
  write(bytes: Buffer): void {
    this.#isWriting = true;
    this.#call.write(bytes, this.#onWritten);
  }

  readonly #onWritten = (): void => {
    this.#isWriting = false;
    this.#resume?.();
  };
}
