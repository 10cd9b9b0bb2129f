// The INSERT decides: the primary key, the unique request id, and the dependencies in its own view. What is read after
// it only explains why it did not insert. An INSERT whose answer was lost is sent again with the same attempt: either
// the first one was carried out, and its row with our attempt is in the way, or the second is.

import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "../domain/caller.ts";
import { outcomeUnknown, type RegistryError } from "../domain/errors.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import type { Dependency, Registration } from "../domain/registration.ts";
import type { Version } from "../domain/version.ts";
import type { Database } from "../store/database.ts";
import { isOutcomeUnknown } from "../store/database-failure.ts";
import type { InsertQueue } from "../store/insert-queue.ts";
import {
  type ExistingRow,
  findByRequestId,
  findExisting,
  findMissing,
  insertVersion,
  type RequestedRow,
  type VersionKey,
} from "../store/model-version-store.ts";
import type { ModelVersionTable } from "../store/schema.ts";

/** A registration that its caller may make. */
export type PermittedRegistration = Registration & { readonly caller: Caller };

/** The same when its number is decided. */
export type NumberedRegistration = PermittedRegistration & { readonly version: Version };

/** Why a row cannot be inserted. */
export type Obstacle =
  /** The request id was used before. */
  | { readonly kind: "repeated"; readonly first: RequestedRow }
  /** The version is taken. */
  | { readonly kind: "taken"; readonly existing: ExistingRow }
  /** Some dependencies are not registered. */
  | { readonly kind: "missing"; readonly dependencies: readonly Dependency[] };

/** What became of an insertion; stored is durable. */
export type Insertion = { readonly kind: "stored" } | Obstacle;

const PATIENCE_MS = 5_000;
const RETRY_MS = 50;
const MAX_ATTEMPTS = 5;

/** Where rows are inserted. */
export interface InsertTarget {
  readonly database: Database;
  readonly inserts: InsertQueue;
}

/**
 * Inserts the row and finds out what became of it, also when the connection is lost around the commit. A caller who is gone
 * leaves before the row is sent, never after.
 *
 * @throws RegistryError DATABASE_UNAVAILABLE when nothing could be sent, or when it could not be found out in 5 s; then
 *   OUTCOME_UNKNOWN for a registration that is not safe to repeat. The signal's reason.
 */
export async function insertUntilKnown(
  target: InsertTarget,
  row: ModelVersionTable,
  { registration, signal }: { registration: NumberedRegistration; signal: AbortSignal },
): Promise<Insertion> {
  const deadline = performance.now() + PATIENCE_MS;
  let isUnknown = false;
  for (;;) {
    try {
      return await insert(target, row, { registration, signal: isUnknown ? undefined : signal });
    } catch (error) {
      isUnknown ||= isOutcomeUnknown(error);
      if (!isUnknown) throw error;
      if (performance.now() > deadline) throw isSafeToRepeat(registration) ? error : toUnknown(registration, error);
    }
    await sleep(RETRY_MS);
  }
}

// Repeated, an increment without a request id would take a second number.
function isSafeToRepeat({ number, requestId }: Registration): boolean {
  return number.kind === "explicit" || requestId !== undefined;
}

function toUnknown({ model, version }: NumberedRegistration, cause: unknown): RegistryError {
  return outcomeUnknown(model, version.text, cause);
}

async function insert(
  { database, inserts }: InsertTarget,
  row: ModelVersionTable,
  { registration, signal }: { registration: PermittedRegistration; signal: AbortSignal | undefined },
): Promise<Insertion> {
  const keys = dependencyKeys(registration);
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    const isStored = keys.length === 0 ? await inserts.insert(row, signal) : await insertVersion(database, row, keys);
    if (isStored) return { kind: "stored" };
    const obstacle = await findObstacle(database, row, registration);
    if (obstacle?.kind === "taken" && obstacle.existing.attempt === row.attempt) return { kind: "stored" };
    if (obstacle !== undefined) return obstacle;
    // A dependency was registered in between; the next attempt finds it.
  }
  throw new Error(`${row.model}@${row.version} was neither inserted nor refused for a reason`);
}

/** What is in the way of the row, if anything; a repeated request comes before everything else. */
export async function findObstacle(
  database: Database,
  row: ModelVersionTable,
  registration: PermittedRegistration,
): Promise<Obstacle | undefined> {
  const first = row.request_id === null ? undefined : await findByRequestId(database, row.model, row.request_id);
  if (first !== undefined) return { kind: "repeated", first };
  const existing = await findExisting(database, row);
  if (existing !== undefined) return { kind: "taken", existing };
  const missing = await findMissing(database, dependencyKeys(registration));
  if (missing.length === 0) return undefined;
  return { kind: "missing", dependencies: registration.dependencies.filter((_, index) => missing.includes(index)) };
}

// Nothing is ever stored under it: what the caller may not read is looked for here, and is missing like all else.
const NOWHERE = new Uint8Array();

function dependencyKeys({ dependencies, caller }: PermittedRegistration): VersionKey[] {
  return dependencies.map(({ model, version }) => ({
    model,
    precedence: caller.reads.has(model) ? encodePrecedence(version) : NOWHERE,
  }));
}
