import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../domain/digest.ts";
import {
  dependencyNotFound,
  notYetSupported,
  type RegistryError,
  requestIdReused,
  versionAlreadyExists,
} from "../domain/errors.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { checkRecordSize } from "../domain/record-limits.ts";
import { parseRegistration, type Registration } from "../domain/registration.ts";
import type { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import type { ExistingRow } from "../store/model-version-store.ts";
import type { ModelVersionTable } from "../store/schema.ts";
import { findObstacle, insertUntilKnown, type Obstacle } from "./insertion.ts";

/** What a registration needs besides the request. */
export interface RegistrationContext {
  /** What was already found wrong with the request while it was decoded. */
  readonly violations: Violations;
  /** The authenticated name of the caller; empty without authentication. */
  readonly registeredBy: string;
}

/**
 * Stores a new version and answers its serialized record, which is durable then. A request id that was used before for
 * the same content gets the first answer again; validate_only answers the record as it would be and stores nothing.
 *
 * @throws RegistryError INVALID_REQUEST, UNKNOWN_FIELD, VERSION_ALREADY_EXISTS, REQUEST_ID_REUSED,
 *   DEPENDENCY_NOT_FOUND, DATABASE_UNAVAILABLE, NOT_YET_SUPPORTED.
 */
export async function registerVersion(
  database: Database,
  request: RegisterVersionRequest,
  { violations, registeredBy }: RegistrationContext,
): Promise<Uint8Array> {
  if (request.number.case === "increment") throw notYetSupported("increment");
  const registration = parseRegistration(request, violations);
  if (request.validateOnly) return await validateVersion(database, registration);
  const row = toRow(registration, registeredBy);
  const outcome = await insertUntilKnown(database, row, registration);
  return outcome.kind === "stored" ? row.record : answerOrRefuse(outcome, row);
}

async function validateVersion(database: Database, registration: Registration): Promise<Uint8Array> {
  const row = toRow(registration, "");
  const obstacle = await findObstacle(database, row, registration);
  if (obstacle !== undefined) answerOrRefuse(obstacle, row);
  return encodeRecord(registration, row.digest);
}

/** The first answer, where the request is the repetition that a request id is for; otherwise the refusal. */
function answerOrRefuse(obstacle: Obstacle, row: ModelVersionTable): Uint8Array {
  switch (obstacle.kind) {
    case "repeated":
      if (Buffer.compare(obstacle.first.digest, row.digest) === 0) return obstacle.first.record;
      throw requestIdReused(row.model, row.request_id ?? "", obstacle.first.version);
    case "taken":
      throw toConflict(row, obstacle.existing);
    case "missing":
      throw dependencyNotFound(obstacle.dependencies);
  }
}

function toRow(registration: Registration, registeredBy: string): ModelVersionTable {
  const { model, version, metadata, requestId } = registration;
  const digest = recordDigest({ model, version: version.text, metadata });
  const registeredAt = new Date();
  return {
    model,
    precedence: encodePrecedence(version),
    version: version.text,
    record: encodeRecord(registration, digest, { at: registeredAt, by: registeredBy }),
    digest,
    registered_at: registeredAt,
    registered_by: registeredBy,
    attempt: randomUUID(),
    request_id: requestId ?? null,
  };
}

// The record is encoded here and never again: these bytes are what every reader gets.
function encodeRecord(
  { model, version, metadata }: Registration,
  digest: Uint8Array,
  registered?: { at: Date; by: string },
): Uint8Array {
  const record = create(ModelVersionSchema, {
    model,
    version: version.text,
    digest: formatDigest(digest),
    ...(metadata === undefined ? {} : { metadata }),
    ...(registered === undefined
      ? {}
      : { registeredAt: timestampFromDate(registered.at), registeredBy: registered.by }),
  });
  const bytes = toBinary(ModelVersionSchema, record);
  checkRecordSize(bytes.length);
  return bytes;
}

function toConflict({ model, version, digest }: ModelVersionTable, existing: ExistingRow): RegistryError {
  return versionAlreadyExists(model, version, {
    existing: {
      version: existing.version,
      digest: formatDigest(existing.digest),
      registeredAt: existing.registered_at,
    },
    identical: Buffer.compare(digest, existing.digest) === 0,
  });
}
