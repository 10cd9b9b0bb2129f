import { create, toBinary } from "@bufbuild/protobuf";
import { type ListModelsRequest, ModelSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { parseModelPrefix } from "../domain/model-name.ts";
import { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { listModelPage, type ModelRow } from "../store/model-pages.ts";
import { cutPages, type Entry, type ListingContext, type Page, remainingLimit, type Stretch } from "./listing-pages.ts";
import { parseLimit, parsePageSize } from "./page-size.ts";

interface Listing {
  readonly prefix: string;
  readonly limit: number;
  readonly pageSize: number;
}

// The first read is small, so that the first message is fast.
const FIRST_READ_ROWS = 50;
const NEXT_READS_ROWS = 500;

/**
 * Lists the models by name in pages, each with its highest versions.
 *
 * @throws RegistryError INVALID_REQUEST; the signal's reason when that aborts.
 */
export async function* listModels(
  database: Database,
  request: ListModelsRequest,
  { start, signal }: ListingContext,
): AsyncGenerator<Page, void, undefined> {
  const listing = parseListing(request);
  const limit = remainingLimit(listing.limit, start);
  const after = start === undefined ? "" : Buffer.from(start.after).toString("latin1");
  yield* cutPages(readModels(database, { ...listing, limit, after }, signal), { ...listing, limit });
}

async function* readModels(
  database: Database,
  { prefix, limit, after }: Listing & { readonly after: string },
  signal: AbortSignal,
): AsyncGenerator<Stretch<Entry>, void, undefined> {
  let last = after;
  let remaining = limit;
  for (let maxRows = FIRST_READ_ROWS; ; maxRows = NEXT_READS_ROWS) {
    const query = { prefix, after: last, maxRows: Math.min(maxRows, remaining) };
    const { rows, isLast } = await listModelPage(database, query, signal);
    const entries = rows.map(toEntry);
    remaining -= rows.length;
    last = rows.at(-1)?.model ?? last;
    yield { rows: entries, end: entries.at(-1)?.key, isLast: isLast || remaining === 0 };
    if (isLast || remaining === 0) return;
  }
}

function toEntry({ model, highest_release, highest_version }: ModelRow): Entry {
  const init = { name: model, highestRelease: highest_release ?? "", highestVersion: highest_version };
  return { key: Buffer.from(model, "latin1"), bytes: toBinary(ModelSchema, create(ModelSchema, init)) };
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
