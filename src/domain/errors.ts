// Every failure that a caller can meet, with its wording. Reasons are API: documented in docs/errors.md,
// never renamed, never reused. Whatever is dynamic in a message is in its metadata too (AIP-193).

import { quote } from "./quote.ts";

/** The stable reasons of google.rpc.ErrorInfo. */
export type ErrorReason =
  | "INVALID_REQUEST"
  | "UNKNOWN_FIELD"
  | "UNDECODABLE_REQUEST"
  | "INVALID_PAGE_TOKEN"
  | "PAGE_TOKEN_MISMATCH"
  | "MODEL_NOT_FOUND"
  | "VERSION_NOT_FOUND"
  | "VERSION_ALREADY_EXISTS"
  | "REQUEST_ID_REUSED"
  | "NO_BASE_VERSION"
  | "VERSION_OUT_OF_RANGE"
  | "INCREMENT_CONTENDED"
  | "OUTCOME_UNKNOWN"
  | "DEPENDENCY_NOT_FOUND"
  | "CREDENTIALS_MISSING"
  | "CREDENTIALS_INVALID"
  | "PERMISSION_DENIED"
  | "AUTHENTICATION_UNAVAILABLE"
  | "TOO_MANY_CALLS"
  | "REQUEST_TOO_LARGE"
  | "REQUEST_TIMEOUT"
  | "UNSUPPORTED_REQUEST"
  | "SERVICE_NOT_FOUND"
  | "DATABASE_UNAVAILABLE"
  | "SHUTTING_DOWN"
  | "DEADLINE_EXCEEDED"
  | "CANCELLED"
  | "INTERNAL";

/** One violated field: its path in the request (`metadata.artifacts[2].digest`) and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  readonly reason: "INVALID_FIELD" | "UNKNOWN_FIELD";
}

/** Something that must be the case before the call can succeed, for google.rpc.PreconditionFailure. */
export interface FailedPrecondition {
  readonly type: "DEPENDENCY";
  readonly subject: string;
  readonly description: string;
}

/** What an error is about, for google.rpc.ResourceInfo. */
export interface Resource {
  readonly type: "stele.v1.Model" | "stele.v1.ModelVersion";
  readonly name: string;
}

interface ErrorDetails {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  readonly preconditions?: readonly FailedPrecondition[];
  readonly resource?: Resource;
  readonly retryDelayMs?: number;
  readonly cause?: unknown;
}

/** A failure that the caller is told about as it is; every other error is INTERNAL to them. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly reason: ErrorReason;
  /** The dynamic parts of the message, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly preconditions: readonly FailedPrecondition[];
  readonly resource: Resource | undefined;
  /** How long to wait before a retry, where one makes sense. */
  readonly retryDelayMs: number | undefined;

  constructor(reason: ErrorReason, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.reason = reason;
    this.metadata = details.metadata ?? {};
    this.violations = details.violations ?? [];
    this.preconditions = details.preconditions ?? [];
    this.resource = details.resource;
    this.retryDelayMs = details.retryDelayMs;
  }
}

/** A field that breaks its rule; the description says what is wrong, which value, and what to do. */
export function invalidField(field: string, description: string): FieldViolation {
  return { field, description, reason: "INVALID_FIELD" };
}

/** A field that this release does not know, by its path; unnamed fields are numbered. */
export function unknownField(field: string): FieldViolation {
  const description = "is not known to this release; send only fields of its proto, or upgrade the service";
  return { field, description, reason: "UNKNOWN_FIELD" };
}

/** The request breaks the rules of at least one field. */
export function invalidRequest(violations: readonly [FieldViolation, ...FieldViolation[]]): RegistryError {
  const first = violations.find(({ reason }) => reason === "UNKNOWN_FIELD") ?? violations[0];
  const rest = violations.length - 1;
  const more = rest === 0 ? "" : ` (and ${rest} more invalid field${rest === 1 ? "" : "s"})`;
  return new RegistryError(
    first.reason === "UNKNOWN_FIELD" ? "UNKNOWN_FIELD" : "INVALID_REQUEST",
    `${first.field} ${first.description}${more}`,
    {
      violations,
      metadata: { field: first.field, description: first.description, violations: String(violations.length) },
    },
  );
}

/** The page token was altered, or is none of ours. */
export function invalidPageToken(): RegistryError {
  const message = "page_token is not one that this service made; send the next_page_token of a response unchanged";
  return new RegistryError("INVALID_PAGE_TOKEN", message, {
    violations: [invalidField("page_token", "is not a token of this service")],
  });
}

/** The page token belongs to a listing with other arguments. */
export function pageTokenMismatch(): RegistryError {
  const message =
    "page_token belongs to a listing with other arguments; repeat those of the first call, only page_size may differ";
  return new RegistryError("PAGE_TOKEN_MISMATCH", message, {
    violations: [invalidField("page_token", "belongs to a listing with other arguments")],
  });
}

/** No version of the model is registered. */
export function modelNotFound(model: string): RegistryError {
  const message = `model ${quote(model)} has no versions; check the name and that you may read it, or register its first version`;
  return new RegistryError("MODEL_NOT_FOUND", message, {
    metadata: { model },
    resource: { type: "stele.v1.Model", name: model },
  });
}

/** The model has versions, but not this one. */
export function versionNotFound(model: string, version: string): RegistryError {
  const message = `model ${quote(model)} has no version ${version}; ListVersions shows those that it has`;
  return new RegistryError("VERSION_NOT_FOUND", message, {
    metadata: { model, version },
    resource: { type: "stele.v1.ModelVersion", name: `${model}@${version}` },
  });
}

/** The versions that a range misses by least; undefined where there is none. */
export interface NearestVersions {
  readonly below: string | undefined;
  readonly above: string | undefined;
  /** The highest prerelease between the bounds of the range, which the rule about prereleases excludes. */
  readonly prerelease: string | undefined;
}

/** The model has versions, but none in this range. */
export function noVersionInRange(model: string, range: string, nearest: NearestVersions): RegistryError {
  const { below, above, prerelease } = nearest;
  // Between two alternatives of the range one version may be below the one and above the other.
  const around = [...new Set([below, above])].filter((version) => version !== undefined);
  const hints = [
    ...(around.length > 0 ? [`nearest ${around.length > 1 ? "are" : "is"} ${around.join(" and ")}`] : []),
    ...(prerelease === undefined ? [] : [`${prerelease} matches with PRERELEASES_INCLUDE`]),
  ];
  const advice = hints.length > 0 ? hints.join("; ") : "widen the range; ListVersions shows the versions";
  return new RegistryError("VERSION_NOT_FOUND", `model ${quote(model)} has no version in ${quote(range)}; ${advice}`, {
    metadata: {
      model,
      range,
      ...(below !== undefined && { nearest_below: below }),
      ...(above !== undefined && { nearest_above: above }),
      ...(prerelease !== undefined && { nearest_prerelease: prerelease }),
    },
    resource: { type: "stele.v1.ModelVersion", name: `${model}@${range}` },
  });
}

/** What is registered under a version that somebody tried to register again. */
export interface ExistingVersion {
  readonly version: string;
  /** `sha256:` and hex, as in the record. */
  readonly digest: string;
  readonly registeredAt: Date;
}

/** The version is taken, by what the caller may not see. */
export function versionTaken(model: string, version: string): RegistryError {
  const message =
    `version ${version} of model ${quote(model)} is already registered; ` +
    "versions never change, register the next number instead";
  return new RegistryError("VERSION_ALREADY_EXISTS", message, {
    metadata: { model, version },
    resource: { type: "stele.v1.ModelVersion", name: `${model}@${version}` },
  });
}

/** The version is taken; `identical` says whether by a record of the same digest. */
export function versionAlreadyExists(
  model: string,
  version: string,
  { existing, identical }: { existing: ExistingVersion; identical: boolean },
): RegistryError {
  const name = existing.version === version ? "" : ` as ${existing.version}`;
  const content = identical ? "the same content" : "other content";
  const message =
    `version ${version} of model ${quote(model)} is already registered${name}, with ${content}; ` +
    "versions never change, register the next number instead";
  return new RegistryError("VERSION_ALREADY_EXISTS", message, {
    metadata: {
      model,
      version,
      existing_version: existing.version,
      existing_digest: existing.digest,
      registered_at: existing.registeredAt.toISOString(),
      identical: String(identical),
    },
    resource: { type: "stele.v1.ModelVersion", name: `${model}@${existing.version}` },
  });
}

/** The request id was used before, for a registration of other content; of which version is not for everybody. */
export function requestIdReused(model: string, requestId: string, existingVersion?: string): RegistryError {
  const version = existingVersion === undefined ? "" : ` ${existingVersion}`;
  const message =
    `request_id ${requestId} was used for ${quote(model)}${version} with other content; ` +
    "send a new UUID for each registration, and the same one only to repeat it";
  return new RegistryError("REQUEST_ID_REUSED", message, {
    metadata: {
      model,
      request_id: requestId,
      ...(existingVersion !== undefined && { existing_version: existingVersion }),
    },
    violations: [invalidField("request_id", "was used for a registration of other content")],
    resource:
      existingVersion === undefined
        ? { type: "stele.v1.Model", name: model }
        : { type: "stele.v1.ModelVersion", name: `${model}@${existingVersion}` },
  });
}

/** The range of an increment holds no release to raise. */
export function noBaseVersion(model: string, within: string): RegistryError {
  const message =
    `model ${quote(model)} has no release in ${quote(within)} to raise; ` +
    "register a first one with its explicit version, or leave out increment.within";
  return new RegistryError("NO_BASE_VERSION", message, { metadata: { model, within } });
}

/** The number that an increment leads to cannot be a version. */
export function versionOutOfRange(): RegistryError {
  const message =
    "the next number would be beyond 2^53-1, or longer than 128 bytes; raise a higher level, or give an explicit version";
  return new RegistryError("VERSION_OUT_OF_RANGE", message);
}

/** Other registrations took each number that was assigned, until time was up; nothing was stored. */
export function incrementContended(model: string): RegistryError {
  const message = `too many registrations of model ${quote(model)} at once took the next number first; try again`;
  return new RegistryError("INCREMENT_CONTENDED", message, { metadata: { model } });
}

/** The connection to the database was lost around the commit, and it could not be found out what became of it. */
export function outcomeUnknown(model: string, version: string, cause: unknown): RegistryError {
  const message =
    `the database went away while ${quote(model)} ${version} was stored, so that it may or may not be registered; ` +
    "look with GetVersion before you try again, and send a request_id to make retries safe";
  return new RegistryError("OUTCOME_UNKNOWN", message, { metadata: { model, version }, cause });
}

/** The request's metadata.dependencies name versions that are not registered, at least one. */
export function dependencyNotFound(missing: readonly { model: string; version: { text: string } }[]): RegistryError {
  const names = missing.map(({ model, version }) => `${model}@${version.text}`);
  const [first = ""] = names;
  const more = names.length === 1 ? "" : ` and ${names.length - 1} more`;
  const message =
    `metadata.dependencies names ${first}${more}, not registered here; register dependencies first, ` +
    "or state what lives elsewhere in external_dependencies";
  return new RegistryError("DEPENDENCY_NOT_FOUND", message, {
    metadata: { dependency: first, missing: String(names.length) },
    preconditions: names.map((subject) => ({ type: "DEPENDENCY", subject, description: "is not registered" })),
  });
}

/** The database cannot be reached; the request may be repeated. */
export function databaseUnavailable(cause: unknown): RegistryError {
  const message = "the database is not available; try again shortly";
  return new RegistryError("DATABASE_UNAVAILABLE", message, { retryDelayMs: 1000, cause });
}

/** A fault of the service; the id is in its log too, beside the cause. */
export function internal(id: string): RegistryError {
  const message = `internal error ${id}; tell the operator of the service this id`;
  return new RegistryError("INTERNAL", message, { metadata: { id } });
}
