// Each version of a listing without metadata is encoded anew, which by protobuf-es costs four times as much as all
// fields written by hand. A test holds the two to the same bytes.

import { toBinary } from "@bufbuild/protobuf";
import { type ModelMetadata, ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest } from "./digest.ts";
import {
  messageFieldSize,
  numberFieldSize,
  textFieldSize,
  writeMessageField,
  writeNumberField,
  writeTextField,
} from "./wire-fields.ts";

/** What a stele.v1.ModelVersion is made of. */
export interface RecordParts {
  readonly model: string;
  /** The version as it was registered, build metadata included. */
  readonly version: string;
  /** SHA-256: 32 bytes, or the text of them as records have it. */
  readonly digest: Uint8Array | string;
  /** undefined where there is none, or where it is left out. */
  readonly metadata?: ModelMetadata | undefined;
  /** undefined for a version that is not registered. Nothing was before 1970. */
  readonly registered?: { readonly at: Date; readonly by: string } | undefined;
}

/** The tags of ModelVersion. */
const tags = { model: 0x0a, version: 0x12, metadata: 0x1a, digest: 0x22, registeredAt: 0x2a, registeredBy: 0x32 };

/** The tags of google.protobuf.Timestamp. */
const timestampTags = { seconds: 0x08, nanos: 0x10 };

/** The serialized stele.v1.ModelVersion. */
export function encodeRecord({ model, version, digest, metadata, registered }: RecordParts): Uint8Array {
  const digestText = typeof digest === "string" ? digest : formatDigest(digest);
  const metadataBytes = metadata && toBinary(ModelMetadataSchema, metadata);
  const registeredAt = registered && encodeTimestamp(registered.at);
  const registeredBy = registered?.by ?? "";
  const bytes = Buffer.allocUnsafe(
    textFieldSize(model) +
      textFieldSize(version) +
      messageFieldSize(metadataBytes) +
      textFieldSize(digestText) +
      messageFieldSize(registeredAt) +
      textFieldSize(registeredBy),
  );
  let at = writeTextField(bytes, 0, tags.model, model);
  at = writeTextField(bytes, at, tags.version, version);
  at = writeMessageField(bytes, at, tags.metadata, metadataBytes);
  at = writeTextField(bytes, at, tags.digest, digestText);
  at = writeMessageField(bytes, at, tags.registeredAt, registeredAt);
  writeTextField(bytes, at, tags.registeredBy, registeredBy);
  return bytes;
}

function encodeTimestamp(date: Date): Uint8Array {
  const seconds = Math.floor(date.getTime() / 1000);
  const nanos = (date.getTime() % 1000) * 1_000_000;
  const bytes = Buffer.allocUnsafe(numberFieldSize(seconds) + numberFieldSize(nanos));
  const at = writeNumberField(bytes, 0, timestampTags.seconds, seconds);
  writeNumberField(bytes, at, timestampTags.nanos, nanos);
  return bytes;
}
