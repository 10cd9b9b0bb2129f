// Responses put together from stored records without decoding them: on the wire a repeated field is its
// elements' bytes one after the other, each with tag and length. Each byte of a record is copied once.

import type {
  GetVersionResponse,
  ListModelsResponse,
  ListVersionsResponse,
  RegisterVersionResponse,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import {
  fieldSize,
  messageFieldSize,
  textFieldSize,
  writeFieldStart,
  writeMessageField,
  writeTextField,
} from "../domain/wire-fields.ts";
import type { Encoded } from "./adapter.ts";

const MODEL_VERSION_TAG = 0x0a; // model_version [1] of ListedVersion and of both unary responses
const ENTRIES_TAG = 0x0a; // ListVersionsResponse.versions [1], ListModelsResponse.models [1]
const NEXT_PAGE_TOKEN_TAG = 0x12; // next_page_token [2] of both

/** A GetVersionResponse or RegisterVersionResponse that holds the record. */
export function encodeModelVersion(record: Uint8Array): Encoded<GetVersionResponse & RegisterVersionResponse> {
  const bytes = Buffer.allocUnsafe(messageFieldSize(record));
  writeMessageField(bytes, 0, MODEL_VERSION_TAG, record);
  return bytes as Encoded<GetVersionResponse & RegisterVersionResponse>;
}

/** A ListVersionsResponse that holds the records in their order. */
export function encodeListVersionsResponse(
  records: readonly Uint8Array[],
  nextPageToken: string,
): Encoded<ListVersionsResponse> {
  return encodePage(records, nextPageToken, MODEL_VERSION_TAG) as Encoded<ListVersionsResponse>;
}

/** A ListModelsResponse that holds the serialized stele.v1.Model messages in their order. */
export function encodeListModelsResponse(
  models: readonly Uint8Array[],
  nextPageToken: string,
): Encoded<ListModelsResponse> {
  return encodePage(models, nextPageToken) as Encoded<ListModelsResponse>;
}

/** With an inner tag each entry is a message with that one field. */
function encodePage(entries: readonly Uint8Array[], nextPageToken: string, innerTag?: number): Buffer {
  const entrySize = ({ length }: Uint8Array) => (innerTag === undefined ? length : fieldSize(length));
  const tokenSize = textFieldSize(nextPageToken);
  const bytes = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + fieldSize(entrySize(entry)), tokenSize));
  let at = 0;
  for (const entry of entries) {
    at = writeFieldStart(bytes, at, ENTRIES_TAG, entrySize(entry));
    if (innerTag !== undefined) at = writeFieldStart(bytes, at, innerTag, entry.length);
    bytes.set(entry, at);
    at += entry.length;
  }
  writeTextField(bytes, at, NEXT_PAGE_TOKEN_TAG, nextPageToken);
  return bytes;
}
