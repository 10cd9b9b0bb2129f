// A page token is base64url (RFC 4648, no padding) of
//
//     1 byte     format, 0x01
//     16 bytes   SHA-256, cut, of the request without page_size and page_token
//     4 bytes    what is left of the limit, big-endian; 0 is no limit
//     n bytes    the precedence key of the last version delivered
//     4 bytes    CRC-32 of all that, big-endian
//
// It holds no secret and nothing of this process: every replica takes it, also after a restart. The checksum
// tells an altered token from one of other arguments; it is no protection, and none is needed, because a
// token opens nothing that its caller could not list anyway.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type ListVersionsRequest,
  ListVersionsRequestSchema,
  Order,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { invalidPageToken, pageTokenMismatch } from "../domain/errors.ts";
import { decodePrecedence } from "../domain/precedence.ts";
import type { ListingPosition } from "../registry/list-versions.ts";

const FORMAT = 0x01;
const HASH_BYTES = 16;
const REMAINING_AT = 1 + HASH_BYTES;
const POSITION_AT = REMAINING_AT + 4;
const CHECKSUM_BYTES = 4;

/** Makes the tokens with which `request` is resumed at a position. */
export function pageTokenEncoder(request: ListVersionsRequest): (position: ListingPosition) => string {
  const hash = argumentsHash(request);
  return ({ after, remaining }) => {
    const bytes = Buffer.alloc(POSITION_AT + after.length + CHECKSUM_BYTES);
    bytes[0] = FORMAT;
    bytes.set(hash, 1);
    bytes.writeUInt32BE(remaining ?? 0, REMAINING_AT);
    bytes.set(after, POSITION_AT);
    bytes.writeUInt32BE(crc32(bytes.subarray(0, -CHECKSUM_BYTES)), bytes.length - CHECKSUM_BYTES);
    return bytes.toString("base64url");
  };
}

/**
 * The position in the request's page_token; undefined when it has none.
 *
 * @throws RegistryError INVALID_PAGE_TOKEN when the token was altered, PAGE_TOKEN_MISMATCH when it belongs to
 *   other arguments.
 */
export function decodePageToken(request: ListVersionsRequest): ListingPosition | undefined {
  if (request.pageToken === "") return undefined;
  const bytes = Buffer.from(request.pageToken, "base64url");
  if (!isIntact(bytes, request.pageToken)) throw invalidPageToken();
  if (!argumentsHash(request).equals(bytes.subarray(1, REMAINING_AT))) throw pageTokenMismatch();
  const remaining = bytes.readUInt32BE(REMAINING_AT);
  const after = bytes.subarray(POSITION_AT, -CHECKSUM_BYTES);
  return { after, remaining: remaining === 0 ? undefined : remaining };
}

function isIntact(bytes: Buffer, text: string): boolean {
  return (
    bytes.length > POSITION_AT + CHECKSUM_BYTES &&
    // The decoder skips what is no base64url; only the text that we would write is ours.
    bytes.toString("base64url") === text &&
    bytes[0] === FORMAT &&
    bytes.readUInt32BE(bytes.length - CHECKSUM_BYTES) === crc32(bytes.subarray(0, -CHECKSUM_BYTES)) &&
    decodePrecedence(bytes.subarray(POSITION_AT, -CHECKSUM_BYTES)) !== undefined
  );
}

function argumentsHash(request: ListVersionsRequest): Buffer {
  const { $unknown, ...fields } = request;
  const args = create(ListVersionsRequestSchema, {
    ...fields,
    // Written out or left to the default, the listing is the same.
    order: fields.order === Order.UNSPECIFIED ? Order.HIGHEST_FIRST : fields.order,
    view: fields.view === View.UNSPECIFIED ? View.FULL : fields.view,
    pageSize: 0,
    pageToken: "",
  });
  return createHash("sha256").update(toBinary(ListVersionsRequestSchema, args)).digest().subarray(0, HASH_BYTES);
}
