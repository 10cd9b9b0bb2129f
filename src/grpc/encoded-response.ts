// Responses put together from stored records without decoding them: on the wire a repeated field is its
// elements' bytes one after the other, each with tag and length. Each byte of a record is copied once.

import type {
  GetVersionResponse,
  ListVersionsResponse,
  RegisterVersionResponse,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { Encoded } from "./adapter.ts";

const MODEL_VERSION_TAG = 0x0a; // model_version [1] of ListedVersion and of both unary responses
const VERSIONS_TAG = 0x0a; // ListVersionsResponse.versions [1]
const NEXT_PAGE_TOKEN_TAG = 0x12; // ListVersionsResponse.next_page_token [2]

/** A GetVersionResponse or RegisterVersionResponse that holds the record. */
export function encodeModelVersion(record: Uint8Array): Encoded<GetVersionResponse & RegisterVersionResponse> {
  const bytes = Buffer.allocUnsafe(fieldSize(record.length));
  writeField(bytes, 0, MODEL_VERSION_TAG, record);
  return bytes as Encoded<GetVersionResponse & RegisterVersionResponse>;
}

/** A ListVersionsResponse that holds the records in their order. */
export function encodeListVersionsResponse(
  records: readonly Uint8Array[],
  nextPageToken: string,
): Encoded<ListVersionsResponse> {
  const token = Buffer.from(nextPageToken, "latin1");
  const tokenSize = token.length === 0 ? 0 : fieldSize(token.length);
  const size = records.reduce((sum, { length }) => sum + fieldSize(fieldSize(length)), tokenSize);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const record of records) {
    at = writeTag(bytes, at, VERSIONS_TAG, fieldSize(record.length));
    at = writeField(bytes, at, MODEL_VERSION_TAG, record);
  }
  if (token.length > 0) writeField(bytes, at, NEXT_PAGE_TOKEN_TAG, token);
  return bytes as Encoded<ListVersionsResponse>;
}

/** The size of a length-delimited field with a one-byte tag. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}

function writeField(bytes: Buffer, at: number, tag: number, value: Uint8Array): number {
  const start = writeTag(bytes, at, tag, value.length);
  bytes.set(value, start);
  return start + value.length;
}

function writeTag(bytes: Buffer, at: number, tag: number, length: number): number {
  let next = bytes.writeUInt8(tag, at);
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) next = bytes.writeUInt8((rest & 0x7f) | 0x80, next);
  return bytes.writeUInt8(rest, next);
}
