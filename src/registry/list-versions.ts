// A listing is a scan whose stretches are cut into messages. It holds no connection while it waits for its client, and
// no more than the rest of a stretch.

import { type ListVersionsRequest, Order, View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { requireReading } from "../domain/caller.ts";
import { modelNotFound } from "../domain/errors.ts";
import { type ModelName, parseModelName } from "../domain/model-name.ts";
import { encodeRecord } from "../domain/record.ts";
import { parseVersionFilter, type VersionFilter } from "../domain/version-filter.ts";
import type { VersionSelection } from "../domain/version-range.ts";
import { parseVersionSelection } from "../domain/version-selection.ts";
import { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { modelExists } from "../store/model-version-store.ts";
import type { Direction, PageRow } from "../store/version-pages.ts";
import {
  cutPages,
  type Entry,
  type ListingContext,
  type Page,
  remainingLimit,
  type Stretch,
  takeMatches,
} from "./listing-pages.ts";
import { parseLimit, parsePageSize } from "./page-size.ts";
import { scanVersions } from "./version-scan.ts";

interface Listing {
  readonly model: ModelName;
  readonly selection: VersionSelection;
  readonly direction: Direction;
  readonly filter: VersionFilter | undefined;
  readonly view: typeof View.FULL | typeof View.BASIC;
  readonly limit: number;
  readonly pageSize: number;
}

/**
 * Lists the versions of a model in pages.
 *
 * @throws RegistryError INVALID_REQUEST, PERMISSION_DENIED, MODEL_NOT_FOUND; the signal's reason when that aborts.
 */
export async function* listVersions(
  database: Database,
  request: ListVersionsRequest,
  { start, caller, signal }: ListingContext,
): AsyncGenerator<Page, void, undefined> {
  const listing = parseListing(request);
  requireReading(caller, listing.model);
  const limit = remainingLimit(listing.limit, start);
  const stretches = readEntries(database, { ...listing, limit }, start?.after, signal);
  let isEmpty = true;
  for await (const page of cutPages(stretches, { limit, pageSize: listing.pageSize })) {
    isEmpty = false;
    yield page;
  }
  if (isEmpty && !(await modelExists(database, listing.model, signal))) throw modelNotFound(listing.model);
}

/** The records as the view has them; of what it leaves out only that is read which a filter asks for. */
function readEntries(
  database: Database,
  { model, selection, direction, filter, view, limit }: Listing,
  after: Uint8Array | undefined,
  signal: AbortSignal,
): AsyncIterable<Stretch<Entry>> {
  const scan = { model, selection, direction, after };
  if (filter === undefined) {
    const limited = { ...scan, maxRows: limit };
    return view === View.FULL
      ? mapRows(scanVersions(database, { ...limited, columns: "record" }, signal), toEntry)
      : mapRows(scanVersions(database, { ...limited, columns: "summary" }, signal), summarize(model));
  }
  return view === View.FULL
    ? mapRows(filterRows(scanVersions(database, { ...scan, columns: "record" }, signal), filter, signal), toEntry)
    : mapRows(
        filterRows(scanVersions(database, { ...scan, columns: "everything" }, signal), filter, signal),
        summarize(model),
      );
}

function toEntry({ precedence, record }: PageRow<"record">): Entry {
  return { key: precedence, bytes: record };
}

function summarize(model: ModelName): (row: PageRow<"summary">) => Entry {
  return ({ precedence, version, digest_text: digest, registered_at_ms, registered_by }) => {
    const registered = { at: new Date(registered_at_ms), by: registered_by };
    return { key: precedence, bytes: encodeRecord({ model, version, digest, registered }) };
  };
}

async function* mapRows<Row>(
  stretches: AsyncIterable<Stretch<Row>>,
  map: (row: Row) => Entry,
): AsyncGenerator<Stretch<Entry>, void, undefined> {
  for await (const stretch of stretches) yield { ...stretch, rows: stretch.rows.splice(0).map(map) };
}

async function* filterRows<Row extends PageRow<"record">>(
  stretches: AsyncIterable<Stretch<Row>>,
  filter: VersionFilter,
  signal: AbortSignal,
): AsyncGenerator<Stretch<Row>, void, undefined> {
  for await (const stretch of stretches) {
    yield { ...stretch, rows: await takeMatches(stretch.rows, ({ record }) => filter.matches(record), signal) };
  }
}

function parseListing(request: ListVersionsRequest): Listing {
  const violations = new Violations();
  const model = parseModelName(request.model, "model", violations);
  const selection = parseVersionSelection(request, violations);
  const direction = parseOrder(request.order, violations);
  const view = parseView(request.view, violations);
  const filter = request.filter === "" ? undefined : parseVersionFilter(request.filter, "filter", violations);
  const limit = parseLimit(request.limit, violations);
  const pageSize = parsePageSize(request.pageSize, violations);
  violations.throwIfAny();
  if (model === undefined || selection === undefined) throw violations.toError();
  return { model, selection, direction, view, filter, limit, pageSize };
}

function parseOrder(order: Order, violations: Violations): Direction {
  switch (order) {
    case Order.UNSPECIFIED:
    case Order.HIGHEST_FIRST:
      return "descending";
    case Order.LOWEST_FIRST:
      return "ascending";
    default:
      violations.addInvalid("order", `${order} is no Order; use one of the proto`);
      return "descending";
  }
}

function parseView(view: View, violations: Violations): Listing["view"] {
  switch (view) {
    case View.UNSPECIFIED:
    case View.FULL:
      return View.FULL;
    case View.BASIC:
      return View.BASIC;
    default:
      violations.addInvalid("view", `${view} is no View; use one of the proto`);
      return View.FULL;
  }
}
