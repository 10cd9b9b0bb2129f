import { Code, ConnectError } from "@connectrpc/connect";

/** What connect says of a deadline that passes. */
export const timedOut = "the operation timed out";

/**
 * A signal that is aborted with the first of others, at a deadline, and when it is disposed; then the others know
 * nothing of it any more. AbortSignal.any would leave something behind in a signal that outlives its calls.
 */
export class LinkedAbort implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  #timer: NodeJS.Timeout | undefined;

  constructor(...sources: readonly (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) source.addEventListener("abort", this.#onAbort);
    this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborts at this time on the clock of performance.now(), and not at one set before; Infinity is never. */
  abortAt(deadline: number): void {
    clearTimeout(this.#timer);
    if (!Number.isFinite(deadline)) return;
    const reason = new ConnectError(timedOut, Code.DeadlineExceeded);
    this.#timer = setTimeout(() => this.#controller.abort(reason), deadline - performance.now());
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources) source.removeEventListener("abort", this.#onAbort);
    clearTimeout(this.#timer);
    this.#controller.abort();
  }

  readonly #onAbort = (): void => {
    const aborted = this.#sources.find((source) => source.aborted);
    if (aborted !== undefined) this.#controller.abort(aborted.reason);
  };
}
