import { type GetVersionRequest, Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { requireReading } from "../domain/caller.ts";
import { modelNotFound, type NearestVersions, noVersionInRange, versionNotFound } from "../domain/errors.ts";
import { type ModelName, parseModelName } from "../domain/model-name.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { parseVersion, type Version } from "../domain/version.ts";
import {
  everyKey,
  type KeyInterval,
  parseVersionRange,
  type VersionRange,
  type VersionSelection,
} from "../domain/version-range.ts";
import { parsePrereleases } from "../domain/version-selection.ts";
import { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { findCopy, findRecord, modelExists } from "../store/model-version-store.ts";
import type { CachedRecord, RecordCache } from "../store/record-cache.ts";
import type { Direction } from "../store/version-pages.ts";
import type { CallerContext } from "./caller-context.ts";
import { findFirstVersion } from "./version-scan.ts";

/** Where versions are read. */
export interface Sources {
  readonly database: Database;
  /** Asked before it for exact versions, where there is one. */
  readonly replica: Database | undefined;
  /** Asked first. */
  readonly records: RecordCache;
}

/**
 * The serialized record of exactly the version that is asked for, build metadata being no part of it, or of the highest
 * version in a range; at once where it is in memory.
 *
 * @throws RegistryError INVALID_REQUEST, PERMISSION_DENIED, MODEL_NOT_FOUND, VERSION_NOT_FOUND; the signal's reason
 *   when that aborts.
 */
export function getVersion(
  sources: Sources,
  request: GetVersionRequest,
  context: CallerContext,
): Uint8Array | Promise<Uint8Array> {
  const cached = findCached(sources.records, request);
  if (cached === undefined) return readVersion(sources, request, context);
  requireReading(context.caller, cached.model);
  return cached.record;
}

// Only of valid names and numbers there are records, so that a request that finds one need not be looked at further.
function findCached(
  records: RecordCache,
  { model, selector, prereleases }: GetVersionRequest,
): CachedRecord | undefined {
  if (selector.case !== "version" || prereleases !== Prereleases.UNSPECIFIED) return undefined;
  return records.get(model, selector.value);
}

async function readVersion(
  sources: Sources,
  request: GetVersionRequest,
  { caller, signal }: CallerContext,
): Promise<Uint8Array> {
  const { model, selector } = parseRequest(request);
  requireReading(caller, model);
  const { database } = sources;
  const record =
    selector.case === "version"
      ? await findExactRecord(sources, { model, version: selector.version }, signal)
      : await findHighestRecord(database, { model, selection: selector.range }, signal);
  if (record !== undefined) return record;
  if (!(await modelExists(database, model, signal))) throw modelNotFound(model);
  if (selector.case === "version") throw versionNotFound(model, selector.version.text);
  const nearest = await findNearest(database, { model, range: selector.range }, signal);
  throw noVersionInRange(model, selector.range.text, nearest);
}

/**
 * A replica may be behind or away, but what it has is true: a record never changes. What it answers is not kept, because
 * it may follow another history than the database.
 */
async function findExactRecord(
  { database, replica, records }: Sources,
  version: { model: ModelName; version: Version },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const key = { model: version.model, precedence: encodePrecedence(version.version) };
  const copy = replica && (await findCopy(replica, key, signal));
  if (copy !== undefined) return copy;
  const keep = records.keeper();
  const record = await findRecord(database, key, signal);
  if (record !== undefined) keep(version, record);
  return record;
}

async function findHighestRecord(
  database: Database,
  query: { model: ModelName; selection: VersionSelection },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const highest = await findFirstVersion(database, { ...query, direction: "descending", columns: "record" }, signal);
  return highest?.record;
}

interface RangeSelector {
  readonly model: ModelName;
  readonly range: VersionRange;
}

/**
 * What the caller may have meant: the versions next to the range, or between its alternatives, and the highest of the
 * prereleases that it leaves out.
 */
async function findNearest(
  database: Database,
  { model, range }: RangeSelector,
  signal: AbortSignal,
): Promise<NearestVersions> {
  const find = async (selection: VersionSelection, direction: Direction) => {
    const scan = { model, selection, direction, columns: "number" } as const;
    return (await findFirstVersion(database, scan, signal))?.version;
  };
  const prereleases = range.intervals.some((interval) => interval.prereleases);
  const beside = (bounds: Partial<KeyInterval>): VersionSelection => ({
    intervals: [{ ...everyKey, ...bounds, prereleases }],
    selects: () => true,
  });
  const widest = parseVersionRange(range.text, Prereleases.INCLUDE, "range", new Violations());
  const [first, last] = [widest?.intervals[0], widest?.intervals.at(-1)];
  return {
    below: last && (await find(beside({ to: last.from }), "descending")),
    above: first && (await find(beside({ from: first.to }), "ascending")),
    prerelease: widest && (await find(widest, "descending")),
  };
}

type Selector =
  | { readonly case: "version"; readonly version: Version }
  | { readonly case: "range"; readonly range: VersionRange };

function parseRequest(request: GetVersionRequest): { model: ModelName; selector: Selector } {
  const violations = new Violations();
  const model = parseModelName(request.model, "model", violations);
  const selector = parseSelector(request, violations);
  violations.throwIfAny();
  if (model === undefined || selector === undefined) throw violations.toError();
  return { model, selector };
}

function parseSelector(request: GetVersionRequest, violations: Violations): Selector | undefined {
  const prereleases = parsePrereleases(request.prereleases, violations);
  if (request.selector.case === "range") {
    const range = parseVersionRange(request.selector.value, prereleases, "range", violations);
    return range && { case: "range", range };
  }
  if (prereleases !== Prereleases.UNSPECIFIED) {
    violations.addInvalid("prereleases", "is about a range; leave it out to get exactly one version");
  }
  if (request.selector.case === undefined) {
    violations.addInvalid("version", "is required; give a semantic version, such as 1.4.0, or a range");
    return undefined;
  }
  const version = parseVersion(request.selector.value, "version", violations);
  return version && { case: "version", version };
}
