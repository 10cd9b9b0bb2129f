// The one funnel from whatever a handler throws to the status that its client sees. Invariants: exactly one
// ErrorInfo; every text well-formed, because grpc-js throws on a lone surrogate; nothing of an unknown error
// but an id that the log has too; and the serialized google.rpc.Status plus the message, as percent-encoded
// in grpc-message, stay under 4 KB: clients drop an error whose trailers exceed 8 KB, base64 included.

import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import {
  type BadRequest_FieldViolation,
  BadRequest_FieldViolationSchema,
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { type ErrorReason, type FieldViolation, internal, RegistryError } from "../domain/errors.ts";

const CODES = {
  INVALID_REQUEST: status.INVALID_ARGUMENT,
  UNKNOWN_FIELD: status.INVALID_ARGUMENT,
  UNDECODABLE_REQUEST: status.INVALID_ARGUMENT,
  INVALID_PAGE_TOKEN: status.INVALID_ARGUMENT,
  PAGE_TOKEN_MISMATCH: status.INVALID_ARGUMENT,
  NOT_YET_SUPPORTED: status.UNIMPLEMENTED,
  MODEL_NOT_FOUND: status.NOT_FOUND,
  VERSION_NOT_FOUND: status.NOT_FOUND,
  VERSION_ALREADY_EXISTS: status.ALREADY_EXISTS,
  DATABASE_UNAVAILABLE: status.UNAVAILABLE,
  SHUTTING_DOWN: status.UNAVAILABLE,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  INTERNAL: status.INTERNAL,
} as const satisfies Record<ErrorReason, status>;

const DOMAIN = "stele";
const MAX_BYTES = 4095;

// Caps in bytes. Together with everything of fixed size they leave room for one violation at its caps, so
// that a client always learns at least one.
const MAX_MESSAGE = 768;
const MAX_METADATA = 1024;
const MAX_METADATA_VALUE = 384;
const MAX_RESOURCE_NAME = 512;
const MAX_VIOLATION_FIELD = 256;
const MAX_VIOLATION_DESCRIPTION = 384;

// Tags, lengths and, for BadRequest, the type URL.
const ENTRY_OVERHEAD = 10;
const BAD_REQUEST_OVERHEAD = 64;

/** Where the causes of internal errors go; a pino logger is one. */
export interface ErrorLog {
  error(context: object, message: string): void;
}

/**
 * The status for anything that a handler threw. An AbortError becomes the reason of the call's aborted signal;
 * every error but a RegistryError is logged and becomes INTERNAL.
 */
export function statusOf(error: unknown, log: ErrorLog, signal?: AbortSignal): StatusObject {
  const known = registryErrorOf(error, log, signal);
  const code = CODES[known.reason];
  const details = cut(known.message, MAX_MESSAGE, percentEncodedSize);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(serializeStatus(code, details, known)));
  return { code, details, metadata };
}

function registryErrorOf(error: unknown, log: ErrorLog, signal: AbortSignal | undefined): RegistryError {
  if (error instanceof RegistryError) return error;
  const reason: unknown = signal?.reason;
  if (error instanceof Error && error.name === "AbortError" && reason instanceof RegistryError) return reason;
  const id = randomUUID();
  log.error({ id, err: error }, "internal error");
  return internal(id);
}

function serializeStatus(code: number, message: string, error: RegistryError): Uint8Array {
  const serialize = (details: Any[]) => toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  const others = [...resourceInfo(error), ...retryInfo(error)];
  const { length } = error.violations;
  const bare = serialize([errorInfo(error, length), ...others]);
  if (length === 0) return bare;
  const room = MAX_BYTES - percentEncodedSize(message) - bare.length - BAD_REQUEST_OVERHEAD;
  const fieldViolations = violationsWithin(room, error.violations);
  const badRequest = anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations }));
  return serialize([errorInfo(error, length - fieldViolations.length), badRequest, ...others]);
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

/** The first violations, as many as fit into the bytes. */
function violationsWithin(room: number, violations: readonly FieldViolation[]): BadRequest_FieldViolation[] {
  const fitting: BadRequest_FieldViolation[] = [];
  let left = room;
  for (const { field, description, reason } of violations) {
    const violation = create(BadRequest_FieldViolationSchema, {
      field: cut(field, MAX_VIOLATION_FIELD),
      description: cut(description, MAX_VIOLATION_DESCRIPTION),
      reason,
    });
    left -= toBinary(BadRequest_FieldViolationSchema, violation).length + ENTRY_OVERHEAD;
    if (left < 0) break;
    fitting.push(violation);
  }
  return fitting;
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
