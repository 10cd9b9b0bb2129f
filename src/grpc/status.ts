// The one funnel from whatever a handler throws to the status that its client sees. Invariants: exactly one
// ErrorInfo; every text well-formed, because grpc-js throws on a lone surrogate; nothing of an unknown error
// but an id that the log has too; and the serialized google.rpc.Status plus the message, as percent-encoded
// in grpc-message, stay under 4 KB: clients drop an error whose trailers exceed 8 KB, base64 included.

import { randomUUID } from "node:crypto";
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import {
  BadRequest_FieldViolationSchema,
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailure_ViolationSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { type ErrorReason, internal, RegistryError } from "../domain/errors.ts";

/** The status code of every reason; docs/errors.md has the same. */
export const STATUS_CODES = {
  INVALID_REQUEST: status.INVALID_ARGUMENT,
  UNKNOWN_FIELD: status.INVALID_ARGUMENT,
  UNDECODABLE_REQUEST: status.INVALID_ARGUMENT,
  INVALID_PAGE_TOKEN: status.INVALID_ARGUMENT,
  PAGE_TOKEN_MISMATCH: status.INVALID_ARGUMENT,
  MODEL_NOT_FOUND: status.NOT_FOUND,
  VERSION_NOT_FOUND: status.NOT_FOUND,
  VERSION_ALREADY_EXISTS: status.ALREADY_EXISTS,
  REQUEST_ID_REUSED: status.INVALID_ARGUMENT,
  NO_BASE_VERSION: status.FAILED_PRECONDITION,
  VERSION_OUT_OF_RANGE: status.OUT_OF_RANGE,
  INCREMENT_CONTENDED: status.ABORTED,
  OUTCOME_UNKNOWN: status.UNKNOWN,
  DEPENDENCY_NOT_FOUND: status.FAILED_PRECONDITION,
  CREDENTIALS_MISSING: status.UNAUTHENTICATED,
  CREDENTIALS_INVALID: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  AUTHENTICATION_UNAVAILABLE: status.UNAVAILABLE,
  TOO_MANY_CALLS: status.RESOURCE_EXHAUSTED,
  REQUEST_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  REQUEST_TIMEOUT: status.DEADLINE_EXCEEDED,
  UNSUPPORTED_REQUEST: status.UNIMPLEMENTED,
  SERVICE_NOT_FOUND: status.NOT_FOUND,
  DATABASE_UNAVAILABLE: status.UNAVAILABLE,
  SHUTTING_DOWN: status.UNAVAILABLE,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  INTERNAL: status.INTERNAL,
} as const satisfies Record<ErrorReason, status>;

// What the caller is told of these is less than their operator needs to know.
const OPERATORS_CONCERN: ReadonlySet<ErrorReason> = new Set([
  "DATABASE_UNAVAILABLE",
  "OUTCOME_UNKNOWN",
  "AUTHENTICATION_UNAVAILABLE",
]);

const DOMAIN = "stele";
const MAX_BYTES = 4095;

// Caps in bytes. Together with everything of fixed size they leave room for one violation at its caps, so
// that a client always learns at least one.
const MAX_MESSAGE = 768;
const MAX_METADATA = 1024;
const MAX_METADATA_VALUE = 384;
const MAX_RESOURCE_NAME = 512;
const MAX_VIOLATION_SUBJECT = 384;
const MAX_VIOLATION_DESCRIPTION = 256;

// Tags and lengths of an element; for a list of violations also the type URL.
const ENTRY_OVERHEAD = 10;
const LIST_OVERHEAD = 64;

/** Where the causes of internal errors go; a pino logger is one. */
export interface ErrorLog {
  error(context: object, message: string): void;
  warn(context: object, message: string): void;
}

// By the metadata, because grpc-js makes statuses anew around it.
const reasons = new WeakMap<Metadata, ErrorReason>();

/** A status on its way to the client. */
export interface Answer {
  readonly code: status;
  readonly metadata?: Metadata | null | undefined;
}

/** The reason of a status that was made here; undefined for OK, and for what grpc-js or another service answers. */
export function reasonOf({ metadata }: Answer): ErrorReason | undefined {
  return metadata ? reasons.get(metadata) : undefined;
}

/**
 * The status for anything that a handler threw. An AbortError stands for the reason for which the call was
 * aborted; every other error but a RegistryError is logged and becomes INTERNAL.
 */
export function statusOf(error: unknown, log: ErrorLog, abortReason?: unknown): StatusObject {
  const known = registryErrorOf(error, log, abortReason);
  const code = STATUS_CODES[known.reason];
  const details = cutMessage(known.message);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(serializeStatus(code, details, known)));
  reasons.set(metadata, known.reason);
  return { code, details, metadata };
}

function registryErrorOf(error: unknown, log: ErrorLog, abortReason: unknown): RegistryError {
  if (error instanceof RegistryError) {
    if (OPERATORS_CONCERN.has(error.reason)) log.warn({ reason: error.reason, err: error.cause }, error.message);
    return error;
  }
  const isAbort = error instanceof Error && error.name === "AbortError";
  if (isAbort && abortReason instanceof RegistryError) return abortReason;
  const id = randomUUID();
  log.error({ id, err: error }, "internal error");
  return internal(id);
}

function serializeStatus(code: number, message: string, error: RegistryError): Uint8Array {
  const serialize = (details: Any[]) => toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  const others = [...resourceInfo(error), ...retryInfo(error)];
  const total = error.violations.length + error.preconditions.length;
  const bare = serialize([errorInfo(error, total), ...others]);
  if (total === 0) return bare;
  const room = new Room(MAX_BYTES - percentEncodedSize(message) - bare.length);
  const lists = [...badRequest(error, room), ...preconditionFailure(error, room)];
  return serialize([errorInfo(error, total - room.taken), ...lists, ...others]);
}

/** What is left for the violations. */
class Room {
  /** How many violations were let in. */
  taken = 0;
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** The first messages, as many as fit in a detail of their own. */
  take<Desc extends DescMessage>(schema: Desc, messages: Iterable<MessageShape<Desc>>): MessageShape<Desc>[] {
    const fitting: MessageShape<Desc>[] = [];
    let left = this.#bytes - LIST_OVERHEAD;
    for (const message of messages) {
      const size = toBinary(schema, message).length + ENTRY_OVERHEAD;
      if (size > left) break;
      left -= size;
      fitting.push(message);
    }
    if (fitting.length > 0) this.#bytes = left;
    this.taken += fitting.length;
    return fitting;
  }
}

function badRequest({ violations }: RegistryError, room: Room): Any[] {
  const messages = violations.values().map(({ field, description, reason }) =>
    create(BadRequest_FieldViolationSchema, {
      field: cut(field, MAX_VIOLATION_SUBJECT),
      description: cut(description, MAX_VIOLATION_DESCRIPTION),
      reason,
    }),
  );
  const fieldViolations = room.take(BadRequest_FieldViolationSchema, messages);
  return fieldViolations.length === 0 ? [] : [anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations }))];
}

function preconditionFailure({ preconditions }: RegistryError, room: Room): Any[] {
  const messages = preconditions.values().map(({ type, subject, description }) =>
    create(PreconditionFailure_ViolationSchema, {
      type,
      subject: cut(subject, MAX_VIOLATION_SUBJECT),
      description: cut(description, MAX_VIOLATION_DESCRIPTION),
    }),
  );
  const violations = room.take(PreconditionFailure_ViolationSchema, messages);
  return violations.length === 0
    ? []
    : [anyPack(PreconditionFailureSchema, create(PreconditionFailureSchema, { violations }))];
}

function errorInfo(error: RegistryError, violationsOmitted: number): Any {
  const metadata: Record<string, string> = violationsOmitted > 0 ? { violations_omitted: `${violationsOmitted}` } : {};
  let left = MAX_METADATA;
  for (const [key, value] of Object.entries(error.metadata)) {
    left -= utf8Size(key) + ENTRY_OVERHEAD;
    if (left < 0) break;
    metadata[key] = cut(value, Math.min(left, MAX_METADATA_VALUE));
    left -= utf8Size(metadata[key]);
  }
  return anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: error.reason, domain: DOMAIN, metadata }));
}

function resourceInfo({ resource }: RegistryError): Any[] {
  if (resource === undefined) return [];
  const resourceName = cut(resource.name, MAX_RESOURCE_NAME);
  return [anyPack(ResourceInfoSchema, create(ResourceInfoSchema, { resourceType: resource.type, resourceName }))];
}

function retryInfo({ retryDelayMs }: RegistryError): Any[] {
  if (retryDelayMs === undefined) return [];
  return [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) }))];
}

/** A text for grpc-message, cut where it is too long for one. */
export function cutMessage(text: string): string {
  return cut(text, MAX_MESSAGE, percentEncodedSize);
}

/** The text, well-formed, and cut at a character with an ellipsis where it exceeds the size. */
function cut(text: string, maxSize: number, sizeOf: (text: string) => number = utf8Size): string {
  // No character takes less than a byte, so what is beyond the size need not be looked at.
  const head = text.slice(0, maxSize + 1).toWellFormed();
  if (sizeOf(head) <= maxSize) return head;
  let left = maxSize - sizeOf("…");
  if (left < 0) return "";
  let kept = "";
  for (const character of head) {
    left -= sizeOf(character);
    if (left < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

function utf8Size(text: string): number {
  return Buffer.byteLength(text);
}

/** The bytes of the text in grpc-message. */
function percentEncodedSize(text: string): number {
  return encodeURI(text).length;
}
