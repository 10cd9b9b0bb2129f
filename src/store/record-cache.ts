// Records that were read or registered lately. A record never changes, so that one which is kept stays true as long as
// the database has the history that it came from: a standby that took over, or a backup that was restored, may lack it.
// Only records are kept, never that there is none; whether a version is taken is never asked here.

import { LRUCache } from "lru-cache";
import type { ModelName } from "../domain/model-name.ts";
import type { Version } from "../domain/version.ts";
import type { History } from "./history.ts";

/** A record that is kept. */
export interface CachedRecord {
  readonly model: ModelName;
  /** The serialized record. */
  readonly record: Uint8Array;
}

// What an entry costs beside its bytes and its key: the objects, the bookkeeping of the cache (measured).
const ENTRY_BYTES = 512;

function sizeCalculation({ model, record }: CachedRecord, key: string): number {
  return record.length + model.length + key.length + ENTRY_BYTES;
}

/** Keeps records up to so many bytes in all, those that were used last. */
export class RecordCache {
  readonly #records: LRUCache<string, CachedRecord> | undefined;
  #history: History;
  #emptied = 0;

  /** 0 bytes: keeps nothing. */
  constructor(maxBytes: number) {
    if (maxBytes === 0) return;
    this.#records = new LRUCache({ maxSize: maxBytes, sizeCalculation });
  }

  /** The database has this history. With another than before everything is dropped; with an unknown one nothing is kept. */
  follow(history: History): void {
    if (history !== undefined && history === this.#history) return;
    this.#history = history;
    this.#emptied += 1;
    this.#records?.clear();
  }

  /** The record of the version whose text without build metadata this is; any text may be asked for. */
  get(model: string, number: string): CachedRecord | undefined {
    return this.#records?.get(keyOf(model, number));
  }

  /**
   * To be called before a record is read or written, and what it answers with the record after that: it is kept if the
   * history is still the same.
   */
  keeper(): (version: { model: ModelName; version: Version }, record: Uint8Array) => void {
    const emptied = this.#emptied;
    return ({ model, version }, record) => {
      if (this.#history === undefined || emptied !== this.#emptied) return;
      this.#records?.set(keyOf(model, withoutBuild(version)), { model, record: copyOf(record) });
    };
  }
}

// No model's name has an @.
function keyOf(model: string, number: string): string {
  return `${model}@${number}`;
}

function withoutBuild({ text }: Version): string {
  const end = text.indexOf("+");
  return end === -1 ? text : text.slice(0, end);
}

// What the driver hands out may be a small part of a large buffer, all of which it would keep.
function copyOf(record: Uint8Array): Uint8Array {
  return new Uint8Array(record);
}
