import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../domain/digest.ts";
import { dependencyNotFound, notYetSupported, type RegistryError, versionAlreadyExists } from "../domain/errors.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { checkRecordSize } from "../domain/record-limits.ts";
import { type Dependency, parseRegistration, type Registration } from "../domain/registration.ts";
import type { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import {
  type ExistingRow,
  findExisting,
  findMissing,
  insertVersion,
  type VersionKey,
} from "../store/model-version-store.ts";
import type { ModelVersionTable } from "../store/schema.ts";

const MAX_ATTEMPTS = 5;

/** What a registration needs besides the request. */
export interface RegistrationContext {
  /** What was already found wrong with the request while it was decoded. */
  readonly violations: Violations;
  /** The authenticated name of the caller; empty without authentication. */
  readonly registeredBy: string;
}

/**
 * Stores a new version and answers its serialized record, which is durable then.
 *
 * @throws RegistryError INVALID_REQUEST, UNKNOWN_FIELD, VERSION_ALREADY_EXISTS, DEPENDENCY_NOT_FOUND,
 *   NOT_YET_SUPPORTED.
 */
export async function registerVersion(
  database: Database,
  request: RegisterVersionRequest,
  { violations, registeredBy }: RegistrationContext,
): Promise<Uint8Array> {
  refuseUnsupported(request);
  const registration = parseRegistration(request, violations);
  const row = toRow(registration, registeredBy);
  checkRecordSize(row.record.length);
  const dependencies = registration.dependencies.map(toKey);
  // The INSERT decides; what follows only finds out why it did not insert. Where nothing explains it any more, a
  // dependency was registered in between, and the next attempt succeeds.
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    if (await insertVersion(database, row, dependencies)) return row.record;
    const existing = await findExisting(database, row);
    if (existing !== undefined) throw toConflict(row, existing);
    const missing = await findMissing(database, dependencies);
    if (missing.length > 0)
      throw dependencyNotFound(registration.dependencies.filter((_, index) => missing.includes(index)));
  }
  throw new Error(`${row.model}@${row.version} was neither inserted nor refused for a reason`);
}

function toKey({ model, version }: Dependency): VersionKey {
  return { model, precedence: encodePrecedence(version) };
}

function refuseUnsupported(request: RegisterVersionRequest): void {
  if (request.number.case === "increment") throw notYetSupported("increment");
  if (request.requestId !== "") throw notYetSupported("request_id");
  if (request.validateOnly) throw notYetSupported("validate_only");
}

// The record is encoded here and never again: these bytes are what every reader gets.
function toRow(registration: Registration, registeredBy: string): ModelVersionTable {
  const { model, version, metadata } = registration;
  const digest = recordDigest({ model, version: version.text, metadata });
  const registeredAt = new Date();
  const record = create(ModelVersionSchema, {
    model,
    version: version.text,
    digest: formatDigest(digest),
    registeredAt: timestampFromDate(registeredAt),
    registeredBy,
    ...(metadata === undefined ? {} : { metadata }),
  });
  return {
    model,
    precedence: encodePrecedence(version),
    version: version.text,
    record: toBinary(ModelVersionSchema, record),
    digest,
    registered_at: registeredAt,
    registered_by: registeredBy,
    attempt: randomUUID(),
    request_id: null,
  };
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
