// A page token is base64url (RFC 4648, no padding) of
//
//     1 byte     format, 0x01
//     16 bytes   SHA-256, cut, of the request's type and its fields without page_size and page_token
//     4 bytes    what is left of the limit, big-endian; 0 is no limit
//     n bytes    where to go on: the key of the last entry read (a precedence key, a model's name)
//     4 bytes    CRC-32 of all that, big-endian
//
// It holds no secret and nothing of this process: every replica takes it, also after a restart. The checksum
// tells an altered token from one of other arguments; it is no protection, and none is needed, because a
// token opens nothing that its caller could not list anyway.

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  type ListModelsRequest,
  ListModelsRequestSchema,
  type ListVersionsRequest,
  ListVersionsRequestSchema,
  Order,
  Prereleases,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { invalidPageToken, pageTokenMismatch } from "../domain/errors.ts";
import { parseModelName } from "../domain/model-name.ts";
import { decodePrecedence } from "../domain/precedence.ts";
import { Violations } from "../domain/violations.ts";
import type { ListingPosition } from "../registry/listing-pages.ts";

const FORMAT = 0x01;
const HASH_BYTES = 16;
const REMAINING_AT = 1 + HASH_BYTES;
const POSITION_AT = REMAINING_AT + 4;
const CHECKSUM_BYTES = 4;

/** The tokens of a listing. */
export class PageTokens<Request extends Message & { readonly pageToken: string }> {
  readonly #schema: GenMessage<Request>;
  readonly #toArguments: (request: Request) => Request;
  readonly #isPosition: (after: Uint8Array) => boolean;

  /** `toArguments` gives the same request for those that make the same listing; `isPosition` knows a key. */
  constructor(
    schema: GenMessage<Request>,
    toArguments: (request: Request) => Request,
    isPosition: (after: Uint8Array) => boolean,
  ) {
    this.#schema = schema;
    this.#toArguments = toArguments;
    this.#isPosition = isPosition;
  }

  /** Makes the tokens with which `request` is resumed at a position. */
  encoder(request: Request): (position: ListingPosition) => string {
    const hash = this.#hash(request);
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
  decode(request: Request): ListingPosition | undefined {
    if (request.pageToken === "") return undefined;
    const bytes = Buffer.from(request.pageToken, "base64url");
    // The decoder skips what is no base64url; only the text that we would write is ours.
    if (bytes.toString("base64url") !== request.pageToken || !isIntact(bytes)) throw invalidPageToken();
    if (!this.#hash(request).equals(bytes.subarray(1, REMAINING_AT))) throw pageTokenMismatch();
    const after = bytes.subarray(POSITION_AT, -CHECKSUM_BYTES);
    if (!this.#isPosition(after)) throw invalidPageToken();
    const remaining = bytes.readUInt32BE(REMAINING_AT);
    return { after, remaining: remaining === 0 ? undefined : remaining };
  }

  #hash(request: Request): Buffer {
    const fields = toBinary(this.#schema, this.#toArguments(request));
    return createHash("sha256").update(this.#schema.typeName).update(fields).digest().subarray(0, HASH_BYTES);
  }
}

function isIntact(bytes: Buffer): boolean {
  return (
    bytes.length > POSITION_AT + CHECKSUM_BYTES &&
    bytes[0] === FORMAT &&
    bytes.readUInt32BE(bytes.length - CHECKSUM_BYTES) === crc32(bytes.subarray(0, -CHECKSUM_BYTES))
  );
}

/** The tokens of ListVersions. */
export const versionPageTokens = new PageTokens<ListVersionsRequest>(
  ListVersionsRequestSchema,
  ({ $unknown, ...fields }) =>
    create(ListVersionsRequestSchema, {
      ...fields,
      // Written out or left to the default, the listing is the same.
      prereleases: fields.range === "" && !fields.prereleases ? Prereleases.INCLUDE : fields.prereleases,
      order: fields.order === Order.UNSPECIFIED ? Order.HIGHEST_FIRST : fields.order,
      view: fields.view === View.UNSPECIFIED ? View.FULL : fields.view,
      pageSize: 0,
      pageToken: "",
    }),
  (after) => decodePrecedence(after) !== undefined,
);

/** The tokens of ListModels. */
export const modelPageTokens = new PageTokens<ListModelsRequest>(
  ListModelsRequestSchema,
  ({ $unknown, ...fields }) => create(ListModelsRequestSchema, { ...fields, pageSize: 0, pageToken: "" }),
  (after) => parseModelName(Buffer.from(after).toString("latin1"), "", new Violations()) !== undefined,
);
