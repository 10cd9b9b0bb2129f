import { invalidField, invalidRequest } from "./errors.ts";

/** The largest serialized record, in bytes. */
export const MAX_RECORD_BYTES = 1024 * 1024;

/** Throws the request's error where the serialized record is too large. */
export function checkRecordSize(sizeBytes: number): void {
  if (sizeBytes <= MAX_RECORD_BYTES) return;
  const limit = `a record has at most ${MAX_RECORD_BYTES}, move bulk into an artifact`;
  const description = `makes a record of ${sizeBytes} bytes; ${limit}`;
  throw invalidRequest([invalidField("metadata", description)]);
}
