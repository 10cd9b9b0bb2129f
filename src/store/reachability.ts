import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import type { Database } from "./database.ts";

const PATIENCE_MS = 2_000;

/** Asks a database whether it answers; at most one question is under way, however long the answer takes. */
export class ReachabilityProbe {
  readonly #database: Database;
  #asked: Promise<boolean> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether the database answers a trivial query soon. */
  async isReachable(): Promise<boolean> {
    this.#asked ??= this.#ask();
    const patience = new AbortController();
    const silence = sleep(PATIENCE_MS, false, { signal: patience.signal }).catch(() => false);
    try {
      return await Promise.race([this.#asked, silence]);
    } finally {
      patience.abort();
    }
  }

  async #ask(): Promise<boolean> {
    try {
      await sql`select 1`.execute(this.#database);
      return true;
    } catch {
      return false;
    } finally {
      this.#asked = undefined;
    }
  }
}
