// A scan reads the selected versions of a model in stretches, each one bounded read by the primary key on a connection
// that is given back before anybody is waited for; one stretch is read ahead. Rows never change and never go, so that keyset reads deliver every
// version that was there at the start exactly once, without a snapshot.

import type { ModelName } from "../domain/model-name.ts";
import { after, earlier, later, type VersionInterval, type VersionSelection } from "../domain/version-range.ts";
import type { Database } from "../store/database.ts";
import {
  type ColumnSet,
  type Direction,
  listPage,
  type PageBounds,
  type PageRow,
  type VersionPage,
} from "../store/version-pages.ts";
import { type Stretch, takeMatches } from "./listing-pages.ts";

/** Which versions of a model are read, and what of them. */
export interface VersionScan<C extends ColumnSet> {
  readonly model: ModelName;
  readonly selection: VersionSelection;
  readonly direction: Direction;
  readonly columns: C;
  /** The key after which it begins; undefined is the beginning. */
  readonly after?: Uint8Array | undefined;
  /** The most versions that it selects. */
  readonly maxRows?: number;
}

// The first read is small, so that the first message is fast; later ones are large enough to be cheap a row.
const FIRST_READ: PageBounds = { maxRows: 100, maxBytes: 64 * 1024 };

/** What every read but the first is bounded by. */
export const NEXT_READS: PageBounds = { maxRows: 500, maxBytes: 256 * 1024 };

/** Reads the selected versions in stretches; throws the signal's reason when that aborts. */
export async function* scanVersions<C extends ColumnSet>(
  database: Database,
  { selection, maxRows = Number.POSITIVE_INFINITY, ...scan }: VersionScan<C>,
  signal?: AbortSignal,
): AsyncGenerator<Stretch<PageRow<C>>, void, undefined> {
  const intervals = intervalsOf({ ...scan, selection });
  const read = async (interval: VersionInterval, bounds: PageBounds) =>
    await listPage(database, { ...scan, interval, ...bounds }, signal);
  let remaining = maxRows;
  let interval = intervals.shift();
  let ahead: Promise<VersionPage<C>> | undefined;
  for (let bounds = FIRST_READ; interval !== undefined; bounds = NEXT_READS) {
    const page = await (ahead ?? read(interval, limitTo(remaining, bounds)));
    const end = page.rows.at(-1)?.precedence;
    interval = page.isLast ? intervals.shift() : beyond(interval, end, scan.direction);
    const rows = await takeMatches(page.rows, ({ precedence }) => selection.selects(precedence), signal);
    remaining -= rows.length;
    if (remaining === 0) interval = undefined;
    // The next page is read while this one is sent, unless the records are large. Whoever goes on hears of its failure.
    const isLarge = page.sizeBytes > 2 * NEXT_READS.maxBytes;
    ahead = interval === undefined || isLarge ? undefined : read(interval, limitTo(remaining, NEXT_READS));
    ahead?.catch(ignore);
    yield { rows, end, isLast: interval === undefined };
  }
}

function limitTo(remaining: number, { maxRows, maxBytes }: PageBounds): PageBounds {
  return { maxRows: Math.min(maxRows, remaining), maxBytes };
}

function ignore(): void {}

/** The first selected version in the direction of the scan. */
export async function findFirstVersion<C extends ColumnSet>(
  database: Database,
  scan: VersionScan<C>,
  signal?: AbortSignal,
): Promise<PageRow<C> | undefined> {
  for await (const { rows } of scanVersions(database, { ...scan, maxRows: 1 }, signal)) {
    const [first] = rows;
    if (first !== undefined) return first;
  }
  return undefined;
}

// In the order of reading, without what comes before the start.
function intervalsOf({ selection, direction, after: start }: VersionScan<ColumnSet>): VersionInterval[] {
  const intervals = selection.intervals.map((interval) => beyond(interval, start, direction)).filter(isNotEmpty);
  return direction === "descending" ? intervals.reverse() : intervals;
}

function beyond(interval: VersionInterval, key: Uint8Array | undefined, direction: Direction): VersionInterval {
  if (key === undefined) return interval;
  return direction === "descending"
    ? { ...interval, to: earlier(interval.to, key) }
    : { ...interval, from: later(interval.from, after(key)) };
}

function isNotEmpty({ from, to }: VersionInterval): boolean {
  return Buffer.compare(from, to) < 0;
}
