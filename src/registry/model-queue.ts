/**
 * Runs work on a model one at a time, in the order of arrival: increments of one model would only take each other's
 * numbers. It spares retries and makes them fair; what is correct is decided by the primary key.
 */
export class ModelQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs the work once everything that came before for the model has ended. */
  async run<T>(model: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(model) ?? Promise.resolve()).then(work);
    const tail = result.then(ignore, ignore);
    this.#tails.set(model, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(model) === tail) this.#tails.delete(model);
    }
  }
}

function ignore(): void {}
