import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { requireRegistering } from "../domain/caller.ts";
import { formatDigest, recordDigest } from "../domain/digest.ts";
import {
  dependencyNotFound,
  incrementContended,
  type RegistryError,
  requestIdReused,
  versionAlreadyExists,
  versionTaken,
} from "../domain/errors.ts";
import type { NumberRule } from "../domain/increment.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { encodeRecord } from "../domain/record.ts";
import { checkRecordSize } from "../domain/record-limits.ts";
import { mayBecome, parseRegistration } from "../domain/registration.ts";
import { parseKnownVersion, type Version } from "../domain/version.ts";
import type { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { type ExistingRow, findByRequestId, type RequestedRow } from "../store/model-version-store.ts";
import type { RecordCache } from "../store/record-cache.ts";
import type { ModelVersionTable } from "../store/schema.ts";
import type { CallerContext } from "./caller-context.ts";
import {
  findObstacle,
  type Insertion,
  type InsertTarget,
  insertUntilKnown,
  type NumberedRegistration,
  type Obstacle,
  type PermittedRegistration,
} from "./insertion.ts";
import type { ModelQueue } from "./model-queue.ts";
import { nextVersion } from "./next-version.ts";

/** What a registration needs besides the request. */
export interface RegistrationContext extends CallerContext {
  /** What was already found wrong with the request while it was decoded. */
  readonly violations: Violations;
}

/** A registration that succeeded. */
export interface Registered {
  /** The serialized record. */
  readonly record: Uint8Array;
  /** Whether it was stored now, or by an earlier call of the same request, or only could be. */
  readonly outcome: "stored" | "repeated" | "validated";
}

/** Where versions are registered. */
export interface Registrar extends InsertTarget {
  /** Keeps what was stored for those who read it next. */
  readonly records: RecordCache;
  /** The increments that wait for their turn. */
  readonly increments: ModelQueue;
}

const INCREMENT_PATIENCE_MS = 5_000;

/**
 * Stores a new version, under the number given or the next by a rule, and answers its record, which is
 * durable then. A request id that was used before for the same content gets the first answer again; validate_only
 * answers the record as it would be and stores nothing.
 *
 * @throws RegistryError INVALID_REQUEST, UNKNOWN_FIELD, PERMISSION_DENIED, VERSION_ALREADY_EXISTS, REQUEST_ID_REUSED,
 *   DEPENDENCY_NOT_FOUND, NO_BASE_VERSION, VERSION_OUT_OF_RANGE, INCREMENT_CONTENDED, OUTCOME_UNKNOWN,
 *   DATABASE_UNAVAILABLE.
 */
export async function registerVersion(
  registrar: Registrar,
  request: RegisterVersionRequest,
  context: RegistrationContext,
): Promise<Registered> {
  const { caller, signal, violations } = context;
  const registration = { ...parseRegistration(request, violations), caller };
  requireRegistering(caller, registration.model);
  if (request.validateOnly) {
    return { record: await validateVersion(registrar.database, registration), outcome: "validated" };
  }
  const { number } = registration;
  if (number.kind === "increment") return await registerNext(registrar, registration, number.rule, signal);
  const numbered = { ...registration, version: number.version };
  const row = toRow(numbered);
  signal.throwIfAborted();
  const insertion = await store(registrar, row, { registration: numbered, signal });
  return insertion.kind === "stored" ? stored(row) : repeated(answerOrRefuse(insertion, row, registration));
}

async function store(
  registrar: Registrar,
  row: ModelVersionTable,
  context: { registration: NumberedRegistration; signal: AbortSignal },
): Promise<Insertion> {
  const keep = registrar.records.keeper();
  const insertion = await insertUntilKnown(registrar, row, context);
  if (insertion.kind === "stored") keep(context.registration, row.record);
  return insertion;
}

function stored({ record }: ModelVersionTable): Registered {
  return { record, outcome: "stored" };
}

function repeated(record: Uint8Array): Registered {
  return { record, outcome: "repeated" };
}

/** Assigns the next number and stores it; again, when another replica takes that number first. */
async function registerNext(
  registrar: Registrar,
  registration: PermittedRegistration,
  rule: NumberRule,
  signal: AbortSignal,
): Promise<Registered> {
  const work = async (): Promise<Registered> => {
    const deadline = performance.now() + INCREMENT_PATIENCE_MS;
    for (let attempts = 0; performance.now() < deadline; attempts += 1) {
      // A caller who is gone leaves before something is sent, never after.
      signal.throwIfAborted();
      const next = await nextOrFirst(registrar.database, registration, rule);
      if (next.kind === "first") return repeated(answerRepetition(registration, next.first));
      const numbered = { ...registration, version: next.version };
      const row = toRow(numbered);
      const insertion = await store(registrar, row, { registration: numbered, signal });
      if (insertion.kind === "stored") return stored(row);
      if (insertion.kind !== "taken") return repeated(answerOrRefuse(insertion, row, registration));
      await sleep(Math.random() * Math.min(2 ** attempts, 50));
    }
    throw incrementContended(registration.model);
  };
  return await registrar.increments.run(registration.model, work, signal);
}

type NextOrFirst =
  | { readonly kind: "next"; readonly version: Version }
  | { readonly kind: "first"; readonly first: RequestedRow };

// Where the rule leads nowhere any more, the reason may be the first answer to this very request. Where it leads to a
// number, a repetition is found by the unique request id.
async function nextOrFirst(
  database: Database,
  registration: PermittedRegistration,
  rule: NumberRule,
): Promise<NextOrFirst> {
  try {
    return { kind: "next", version: await nextVersion(database, registration.model, rule) };
  } catch (error) {
    const first = await findFirst(database, registration);
    if (first === undefined) throw error;
    return { kind: "first", first };
  }
}

async function validateVersion(database: Database, registration: PermittedRegistration): Promise<Uint8Array> {
  const version = await versionToBe(database, registration);
  const row = toRow({ ...registration, version });
  const obstacle = await findObstacle(database, row, registration);
  // Somebody took the number that an increment led to; there is a next one.
  if (obstacle?.kind === "taken" && registration.number.kind === "increment") {
    return await validateVersion(database, registration);
  }
  if (obstacle !== undefined) answerOrRefuse(obstacle, row, registration);
  return encodeChecked({ ...registration, version }, row.digest);
}

async function versionToBe(database: Database, registration: PermittedRegistration): Promise<Version> {
  const { model, number } = registration;
  if (number.kind === "explicit") return number.version;
  const first = await findFirst(database, registration);
  if (first === undefined) return await nextVersion(database, model, number.rule);
  answerRepetition(registration, first);
  return parseKnownVersion(first.version);
}

/** The first answer, where the request is the repetition that a request id is for; otherwise the refusal. */
function answerOrRefuse(obstacle: Obstacle, row: ModelVersionTable, registration: PermittedRegistration): Uint8Array {
  switch (obstacle.kind) {
    case "repeated":
      return answerRepetition(registration, obstacle.first);
    case "taken":
      throw toConflict(row, obstacle.existing, registration);
    case "missing":
      throw dependencyNotFound(obstacle.dependencies);
  }
}

async function findFirst(
  database: Database,
  { model, requestId }: PermittedRegistration,
): Promise<RequestedRow | undefined> {
  return requestId === undefined ? undefined : await findByRequestId(database, model, requestId);
}

function answerRepetition(registration: PermittedRegistration, first: RequestedRow): Uint8Array {
  if (isRepetition(registration, first)) return first.record;
  const { model, requestId = "", caller } = registration;
  throw requestIdReused(model, requestId, caller.reads.has(model) ? first.version : undefined);
}

// The digest covers everything but the rule of an increment, which shows in the number that it led to.
function isRepetition(registration: PermittedRegistration, first: RequestedRow): boolean {
  if (!mayBecome(registration, parseKnownVersion(first.version))) return false;
  const digest = recordDigest({ ...registration, version: first.version });
  return Buffer.compare(digest, first.digest) === 0;
}

function toRow(registration: NumberedRegistration): ModelVersionTable {
  const { model, version, metadata, requestId, caller } = registration;
  const digest = recordDigest({ model, version: version.text, metadata });
  const registeredAt = new Date();
  return {
    model,
    precedence: encodePrecedence(version),
    version: version.text,
    record: encodeChecked(registration, digest, { at: registeredAt, by: caller.name }),
    digest,
    registered_at: registeredAt,
    registered_by: caller.name,
    attempt: randomUUID(),
    request_id: requestId ?? null,
  };
}

// The record is encoded here and never again: these bytes are what every reader gets.
function encodeChecked(
  { model, version, metadata }: NumberedRegistration,
  digest: Uint8Array,
  registered?: { at: Date; by: string },
): Uint8Array {
  const bytes = encodeRecord({ model, version: version.text, digest, metadata, ...(registered && { registered }) });
  checkRecordSize(bytes.length);
  return bytes;
}

function toConflict(
  { model, version, digest }: ModelVersionTable,
  existing: ExistingRow,
  { caller }: PermittedRegistration,
): RegistryError {
  if (!caller.reads.has(model)) return versionTaken(model, version);
  return versionAlreadyExists(model, version, {
    existing: {
      version: existing.version,
      digest: formatDigest(existing.digest),
      registeredAt: existing.registered_at,
    },
    identical: Buffer.compare(digest, existing.digest) === 0,
  });
}
