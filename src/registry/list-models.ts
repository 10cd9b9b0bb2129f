import type { ListModelsRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { requireSomeReading } from "../domain/caller.ts";
import { parseModelPrefix } from "../domain/model-name.ts";
import type { NameInterval } from "../domain/model-names.ts";
import { Violations } from "../domain/violations.ts";
import { textFieldSize, writeTextField } from "../domain/wire-fields.ts";
import type { Database } from "../store/database.ts";
import { listModelPage, type ModelRow } from "../store/model-pages.ts";
import { cutPages, type Entry, type ListingContext, type Page, remainingLimit, type Stretch } from "./listing-pages.ts";
import { parseLimit, parsePageSize } from "./page-size.ts";

interface Listing {
  /** What the names begin with. */
  readonly prefix: string;
  readonly limit: number;
  readonly pageSize: number;
}

// The first read is small, so that the first message is fast.
const FIRST_READ_ROWS = 100;
const NEXT_READS_ROWS = 500;

/** The tags of Model. */
const tags = { name: 0x0a, highestRelease: 0x12, highestVersion: 0x1a };

/**
 * Lists the models that the caller may read by name in pages, each with its highest versions.
 *
 * @throws RegistryError INVALID_REQUEST, PERMISSION_DENIED; the signal's reason when that aborts.
 */
export async function* listModels(
  database: Database,
  request: ListModelsRequest,
  { start, caller, signal }: ListingContext,
): AsyncGenerator<Page, void, undefined> {
  const { prefix, limit: askedLimit, pageSize } = parseListing(request);
  requireSomeReading(caller);
  const limit = remainingLimit(askedLimit, start);
  const after = start === undefined ? "" : Buffer.from(start.after).toString("latin1");
  const intervals = caller.reads.beginningWith(prefix).filter(({ to }) => after < to);
  yield* cutPages(readModels(database, { intervals, limit, after }, signal), { limit, pageSize });
}

interface ModelScan {
  /** Where to look, in this order. */
  readonly intervals: readonly NameInterval[];
  readonly limit: number;
  readonly after: string;
}

async function* readModels(
  database: Database,
  { intervals, limit, after }: ModelScan,
  signal: AbortSignal,
): AsyncGenerator<Stretch<Entry>, void, undefined> {
  const pending = [...intervals];
  let last = after;
  let remaining = limit;
  let maxRows = FIRST_READ_ROWS;
  for (let interval = pending.shift(); interval !== undefined && remaining > 0; maxRows = NEXT_READS_ROWS) {
    const query = { ...interval, after: last, maxRows: Math.min(maxRows, remaining) };
    const { rows, isLast } = await listModelPage(database, query, signal);
    const entries = rows.map(toEntry);
    remaining -= rows.length;
    last = rows.at(-1)?.model ?? last;
    if (isLast) interval = pending.shift();
    yield { rows: entries, end: entries.at(-1)?.key, isLast: interval === undefined || remaining === 0 };
  }
}

function toEntry(row: ModelRow): Entry {
  return { key: Buffer.from(row.model, "latin1"), bytes: encodeModel(row) };
}

/** The serialized stele.v1.Model. */
export function encodeModel({ model, highest_release, highest_version }: ModelRow): Uint8Array {
  const release = highest_release ?? "";
  const bytes = Buffer.allocUnsafe(textFieldSize(model) + textFieldSize(release) + textFieldSize(highest_version));
  let at = writeTextField(bytes, 0, tags.name, model);
  at = writeTextField(bytes, at, tags.highestRelease, release);
  writeTextField(bytes, at, tags.highestVersion, highest_version);
  return bytes;
}

function parseListing(request: ListModelsRequest): Listing {
  const violations = new Violations();
  const prefix = parseModelPrefix(request.prefix, "prefix", violations);
  const limit = parseLimit(request.limit, violations);
  const pageSize = parsePageSize(request.pageSize, violations);
  violations.throwIfAny();
  if (prefix === undefined) throw violations.toError();
  return { prefix, limit, pageSize };
}
