// Group commit: rows that wait for the database while others are written go there in one statement, and are made durable by
// one commit. Nobody waits for company: a row that finds a statement free goes alone and at once.

import { RegistryError } from "../domain/errors.ts";
import type { Database } from "./database.ts";
import { hasWaitedTooLong } from "./database-failure.ts";
import { endOf } from "./end-of.ts";
import { insertVersion, insertVersions } from "./model-version-store.ts";
import type { ModelVersionTable } from "./schema.ts";

/** How many statements are under way at once; with more the batches are smaller, and all is slower (measured). */
const MAX_STATEMENTS = 2;

/** A statement counts for so long: one whose connection is lost without a word holds up nobody else. */
const MAX_TURN_MS = 1_000;

/** What one statement writes at most; a larger record goes alone. */
const MAX_ROWS = 32;
const MAX_BYTES = 1024 * 1024;

interface Waiting {
  readonly row: ModelVersionTable;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Inserts rows, those that wait together. */
export class InsertQueue {
  readonly #database: Database;
  readonly #waiting: Waiting[] = [];
  #statements = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Stores a version, durably once this resolves; false when it is taken, or when its request id was used before. A caller
   * who is gone before the row is sent leaves with the signal's reason; afterwards the signal counts no more.
   */
  async insert(row: ModelVersionTable, signal?: AbortSignal): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#waiting.push({ row, signal, resolve, reject });
    this.#send();
    return await promise;
  }

  #send(): void {
    while (this.#statements < MAX_STATEMENTS && this.#waiting.length > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      this.#statements += 1;
      void endOf(this.#write(batch), MAX_TURN_MS).then(() => {
        this.#statements -= 1;
        this.#send();
      });
    }
  }

  /** Takes from the queue what one statement writes, without those who have left. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let sizeBytes = 0;
    for (let [next] = this.#waiting; next !== undefined && batch.length < MAX_ROWS; [next] = this.#waiting) {
      if (next.signal?.aborted) next.reject(next.signal.reason);
      else {
        sizeBytes += next.row.record.length;
        if (batch.length > 0 && sizeBytes > MAX_BYTES) break;
        batch.push(next);
      }
      this.#waiting.shift();
    }
    return batch;
  }

  /** Never rejects. */
  async #write(batch: Waiting[]): Promise<void> {
    try {
      const rows = batch.map(({ row }) => row);
      const stored = await insertVersions(this.#database, rows);
      for (const { row, resolve } of batch) resolve(stored.has(row.attempt));
    } catch (error) {
      // What is wrong with one row must not fail another; a database that does not answer fails them all.
      const mayBeOfOneRow = !(error instanceof RegistryError) || hasWaitedTooLong(error);
      if (batch.length > 1 && mayBeOfOneRow) await Promise.all(batch.map((waiting) => this.#writeAlone(waiting)));
      else for (const { reject } of batch) reject(error);
    }
  }

  async #writeAlone({ row, resolve, reject }: Waiting): Promise<void> {
    await insertVersion(this.#database, row).then(resolve, reject);
  }
}
