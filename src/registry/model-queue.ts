/**
 * Runs work on a model one at a time, in the order of arrival: increments of one model would only take each other's
 * numbers. It spares retries and makes them fair; what is correct is decided by the primary key.
 */
export class ModelQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Runs the work once everything that came before for the model has ended. Who gives up before leaves, with the signal's
   * reason, and nothing is kept of their work.
   */
  async run<T>(model: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const waiting = new Waiting(work, signal);
    const tail = (this.#tails.get(model) ?? Promise.resolve()).then(() => waiting.begin());
    this.#tails.set(model, tail);
    try {
      return await waiting.result;
    } finally {
      if (this.#tails.get(model) === tail) this.#tails.delete(model);
    }
  }
}

/** Work that waits for its turn. */
class Waiting<T> {
  readonly #outcome = Promise.withResolvers<T>();
  readonly #signal: AbortSignal;
  #work: (() => Promise<T>) | undefined;

  constructor(work: () => Promise<T>, signal: AbortSignal) {
    this.#work = work;
    this.#signal = signal;
    if (signal.aborted) this.#leave();
    else signal.addEventListener("abort", this.#leave);
  }

  get result(): Promise<T> {
    return this.#outcome.promise;
  }

  /** Resolves when the work has ended, whatever its outcome. */
  async begin(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#leave);
    const work = this.#work;
    this.#work = undefined;
    if (work === undefined) return;
    await work().then(this.#outcome.resolve, this.#outcome.reject);
  }

  readonly #leave = (): void => {
    this.#work = undefined;
    this.#outcome.reject(this.#signal.reason);
  };
}
