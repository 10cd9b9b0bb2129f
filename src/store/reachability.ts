import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { connectionsOf } from "./connections.ts";
import type { Database } from "./database.ts";

const PATIENCE_MS = 700;

/**
 * Asks a database whether it answers, over a connection of its own, and lets its statements know; at most one question is
 * under way, however long the answer takes.
 */
export class ReachabilityProbe {
  readonly #database: Database;
  #asked: Promise<Reaction> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether the database answers a trivial query soon. */
  async isReachable(): Promise<boolean> {
    this.#asked ??= this.#ask();
    const patience = new AbortController();
    const reaction = await Promise.race([this.#asked, silence(patience.signal)]);
    patience.abort();
    // One that refuses refuses statements too, at once, and those find first that it does no more.
    connectionsOf(this.#database)?.availability.report(reaction !== "silent");
    return reaction === "answers";
  }

  async #ask(): Promise<Reaction> {
    const askedAt = performance.now();
    try {
      await connectionsOf(this.#database)?.ask();
      return "answers";
    } catch {
      // Its own time-outs come later: they are no reaction.
      return performance.now() - askedAt < PATIENCE_MS ? "refuses" : "silent";
    } finally {
      this.#asked = undefined;
    }
  }
}

type Reaction = "answers" | "refuses" | "silent";

/** When the patience is at an end. */
async function silence(signal: AbortSignal): Promise<Reaction> {
  try {
    await sleep(PATIENCE_MS, undefined, { signal });
    // A process that was busy finds its timers late, and the answer behind them.
    await nextTurn();
    await nextTurn();
  } catch {
    // The answer came first.
  }
  return "silent";
}
