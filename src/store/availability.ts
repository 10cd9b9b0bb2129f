// Whether a database reacts. While it is silent, statements fail at once, those under way too: a caller learns within a
// second what a silent network would tell in minutes. The connections are cut, so that none of them is left to hang when
// the database is back. What became of an INSERT that was under way is found out as after any lost connection.

/** The database let a trivial question wait too long; nothing more is sent until it reacts. */
export class DatabaseAwayError extends Error {
  override readonly name = "DatabaseAwayError";
  /** Whether the statement may have been sent. */
  readonly wasUnderWay: boolean;

  constructor(wasUnderWay: boolean) {
    super(wasUnderWay ? "the database stopped answering" : "the database does not answer");
    this.wasUnderWay = wasUnderWay;
  }
}

/** What is known of whether a database reacts; until something is known, it does. */
export class Availability {
  readonly #cut: () => void;
  readonly #underWay = new Set<(error: Error) => void>();
  #isAway = false;

  /** `cut` ends all connections. */
  constructor(cut: () => void) {
    this.#cut = cut;
  }

  /** The database reacted, or was silent. */
  report(reacts: boolean): void {
    const isNews = this.#isAway === reacts;
    this.#isAway = !reacts;
    if (!isNews || reacts) return;
    for (const reject of this.#underWay) reject(new DatabaseAwayError(true));
    this.#cut();
  }

  /** The outcome of the work on the database; a DatabaseAwayError while that is silent. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isAway) throw new DatabaseAwayError(false);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#underWay.add(reject);
    try {
      work().then(resolve, reject);
      return await promise;
    } finally {
      this.#underWay.delete(reject);
    }
  }
}
