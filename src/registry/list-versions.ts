// A listing is read in stretches, each a bounded read by the primary key on a connection that is given back
// before the caller is waited for. Rows never change and never go, so that keyset reads deliver every version
// that was there at the start exactly once, without a snapshot.

import { type ListVersionsRequest, Order, Prereleases, View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { modelNotFound, notYetSupported } from "../domain/errors.ts";
import { type ModelName, parseModelName } from "../domain/model-name.ts";
import { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { type ListedRow, listPage, modelExists, type PageQuery } from "../store/model-version-store.ts";

/** Where a listing goes on. */
export interface ListingPosition {
  /** The precedence key of the last version delivered. */
  readonly after: Uint8Array;
  /** What is left of the request's limit; undefined is no limit. */
  readonly remaining: number | undefined;
}

/** Some versions of a listing, in order; at least one. */
export interface VersionPage {
  readonly records: readonly Uint8Array[];
  /** Where to go on after this page; undefined when the listing is complete. */
  readonly next: ListingPosition | undefined;
}

interface Listing {
  readonly model: ModelName;
  readonly direction: PageQuery["direction"];
  readonly limit: number;
  readonly pageSize: number;
}

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 1000;
const MAX_PAGE_BYTES = 64 * 1024;

// The first read is small, so that the first message is fast; later ones are large enough to be cheap a row.
const FIRST_READ = { maxRows: 100, maxBytes: 64 * 1024 };
const NEXT_READS = { maxRows: 500, maxBytes: 256 * 1024 };

/**
 * Lists the versions of a model in pages, from `start` on or from the beginning.
 *
 * @throws RegistryError INVALID_REQUEST, MODEL_NOT_FOUND, NOT_YET_SUPPORTED.
 */
export async function* listVersions(
  database: Database,
  request: ListVersionsRequest,
  start: ListingPosition | undefined,
): AsyncGenerator<VersionPage, void, undefined> {
  const listing = parseListing(request);
  const limit = Math.min(start?.remaining ?? listing.limit, listing.limit);
  let delivered = 0;
  for await (const { rows, complete } of readStretches(database, listing, { after: start?.after, limit })) {
    for (const page of cutPages(rows, listing.pageSize)) {
      delivered += page.length;
      const isLast = complete && page.at(-1) === rows.at(-1);
      yield toPage(page, isLast ? undefined : limit - delivered);
    }
  }
}

interface Stretch {
  readonly rows: readonly ListedRow[];
  /** Whether these rows end the listing. */
  readonly complete: boolean;
}

// Only the next read tells whether there is a row behind the last one of a full read; so that row waits for it.
async function* readStretches(
  database: Database,
  { model, direction }: Listing,
  { after, limit }: { after: Uint8Array | undefined; limit: number },
): AsyncGenerator<Stretch, void, undefined> {
  let last = after;
  let remaining = limit;
  let held: readonly ListedRow[] = [];
  for (let bounds = FIRST_READ; ; bounds = NEXT_READS) {
    const maxRows = Math.min(bounds.maxRows, remaining);
    const read = await listPage(database, { model, direction, after: last, ...bounds, maxRows });
    if (read.length === 0 && held.length === 0 && !(await modelExists(database, model))) throw modelNotFound(model);
    remaining -= read.length;
    last = read.at(-1)?.precedence ?? last;
    const rows = [...held, ...read];
    if (remaining === 0 || !isFull(read, { ...bounds, maxRows })) return yield { rows, complete: true };
    held = rows.splice(-1);
    yield { rows, complete: false };
  }
}

function isFull(rows: readonly ListedRow[], bounds: { maxRows: number; maxBytes: number }): boolean {
  return rows.length === bounds.maxRows || sizeBytes(rows) >= bounds.maxBytes;
}

function sizeBytes(rows: readonly ListedRow[]): number {
  return rows.reduce((sum, { record }) => sum + record.length, 0);
}

function* cutPages(rows: readonly ListedRow[], pageSize: number): Generator<readonly ListedRow[], void, undefined> {
  let start = 0;
  let bytes = 0;
  for (const [index, { record }] of rows.entries()) {
    const isNewPage = index - start === pageSize || bytes + record.length > MAX_PAGE_BYTES;
    if (isNewPage && index > start) {
      yield rows.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += record.length;
  }
  if (start < rows.length) yield rows.slice(start);
}

function toPage(rows: readonly ListedRow[], remaining: number | undefined): VersionPage {
  const records = rows.map(({ record }) => record);
  const after = rows.at(-1)?.precedence;
  if (after === undefined || remaining === undefined) return { records, next: undefined };
  return { records, next: { after, remaining: remaining === Number.POSITIVE_INFINITY ? undefined : remaining } };
}

const directions: Readonly<Record<Order, PageQuery["direction"]>> = {
  [Order.UNSPECIFIED]: "descending",
  [Order.HIGHEST_FIRST]: "descending",
  [Order.LOWEST_FIRST]: "ascending",
};

function parseListing(request: ListVersionsRequest): Listing {
  refuseUnsupported(request);
  const violations = new Violations();
  const model = parseModelName(request.model, "model", violations);
  const direction: PageQuery["direction"] | undefined = directions[request.order];
  if (direction === undefined) violations.addInvalid("order", `${request.order} is no Order; use one of the proto`);
  const limit = parseCount(request.limit, "limit", violations) || Number.POSITIVE_INFINITY;
  const pageSize = parseCount(request.pageSize, "page_size", violations) || DEFAULT_PAGE_SIZE;
  violations.throwIfAny();
  if (model === undefined || direction === undefined) throw violations.toError();
  return { model, direction, limit, pageSize: Math.min(pageSize, MAX_PAGE_SIZE) };
}

function parseCount(value: number, field: string, violations: Violations): number {
  if (value < 0) violations.addInvalid(field, `${value} is negative; use 0 for the default, or a positive number`);
  return value;
}

function refuseUnsupported(request: ListVersionsRequest): void {
  if (request.range !== "") throw notYetSupported("range");
  if (request.prereleases !== Prereleases.UNSPECIFIED) throw notYetSupported("prereleases");
  if (request.filter !== "") throw notYetSupported("filter");
  if (request.view !== View.UNSPECIFIED && request.view !== View.FULL) throw notYetSupported("view other than FULL");
}
