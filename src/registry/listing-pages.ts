// What every listing has in common: a stream of pages, cut from the stretches in which it is read.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { CallerContext } from "./caller-context.ts";

/** Where a listing goes on. */
export interface ListingPosition {
  /** The key after which it goes on: that of the last entry listed, or of a later one that was read and left out. */
  readonly after: Uint8Array;
  /** What is left of the request's limit; undefined is no limit. */
  readonly remaining: number | undefined;
}

/** What a listing needs besides the request. */
export interface ListingContext extends CallerContext {
  /** Where it goes on; undefined is the beginning. */
  readonly start: ListingPosition | undefined;
}

/** Something listed: where it is in the order, and its serialized message. */
export interface Entry {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Some entries of a listing, in order, to be taken out; none where it only tells how far it is. */
export interface Page {
  readonly entries: Uint8Array[];
  /** Where to go on after this page; undefined when the listing is complete. */
  readonly next: ListingPosition | undefined;
}

/** What one read of a listing brought. */
export interface Stretch<Row> {
  /** In order. Whoever takes rows empties the list: a generator that waits would hold them until it goes on. */
  readonly rows: Row[];
  /** The key of the last row read, after which the next read begins; undefined when nothing was read. */
  readonly end: Uint8Array | undefined;
  /** Whether the listing ends with it. */
  readonly isLast: boolean;
}

const MAX_PAGE_BYTES = 64 * 1024;

/** After so many reads without an entry an empty page tells how far the listing is. */
const MAX_SILENT_READS = 2;

/**
 * Cuts stretches into pages of at most `pageSize` entries and about 64 KiB, at least one entry. Each page but the last
 * of the listing goes on; where it turns out only later that one was the last, an empty page says so.
 */
export async function* cutPages(
  stretches: AsyncIterable<Stretch<Entry>>,
  { limit, pageSize }: { limit: number; pageSize: number },
): AsyncGenerator<Page, void, undefined> {
  let remaining = limit;
  let silentReads = 0;
  let isOpen = false;
  const next = (after: Uint8Array) => ({ after, remaining: Number.isFinite(remaining) ? remaining : undefined });
  for await (const { rows, end, isLast } of stretches) {
    silentReads += 1;
    while (rows.length > 0) {
      const { entries, after } = takePage(rows, Math.min(pageSize, remaining));
      remaining -= entries.length;
      if (remaining === 0 || (isLast && rows.length === 0)) return yield { entries, next: undefined };
      yield { entries, next: next(rows.length === 0 && end !== undefined ? end : after) };
      isOpen = true;
      silentReads = 0;
    }
    if (silentReads < MAX_SILENT_READS || end === undefined || isLast) continue;
    yield { entries: [], next: next(end) };
    isOpen = true;
    silentReads = 0;
  }
  if (isOpen) yield { entries: [], next: undefined };
}

/** Takes the first entries out of the list, so that nobody holds what has been sent. */
function takePage(rows: Entry[], maxRows: number): { entries: Uint8Array[]; after: Uint8Array } {
  let count = 0;
  for (let sizeBytes = 0; count < Math.min(maxRows, rows.length); count += 1) {
    sizeBytes += rows[count]?.bytes.length ?? 0;
    if (count > 0 && sizeBytes > MAX_PAGE_BYTES) break;
  }
  const page = rows.splice(0, count);
  return { entries: page.map(({ bytes }) => bytes), after: page.at(-1)?.key ?? Buffer.alloc(0) };
}

/** Rows are looked at for so long before other work gets its turn. */
const MAX_TURN_MS = 5;

/** Takes all rows out of the list and answers those that match; throws the signal's reason when that aborts. */
export async function takeMatches<Row>(
  rows: Row[],
  matches: (row: Row) => boolean,
  signal: AbortSignal | undefined,
): Promise<Row[]> {
  const found: Row[] = [];
  let turnEnd = performance.now() + MAX_TURN_MS;
  for (const row of rows.splice(0)) {
    if (matches(row)) found.push(row);
    if (performance.now() < turnEnd) continue;
    await nextTurn();
    signal?.throwIfAborted();
    turnEnd = performance.now() + MAX_TURN_MS;
  }
  return found;
}

/** What a listing may still deliver of its request's limit. */
export function remainingLimit(limit: number, start: ListingPosition | undefined): number {
  return Math.min(start?.remaining ?? limit, limit);
}
