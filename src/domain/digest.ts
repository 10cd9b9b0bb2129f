// The digest of a record, by which clients tell and prove what is stored: SHA-256 over "stele-record-v1", a
// newline, and the canonical JSON (RFC 8785) of the ProtoJSON of model, version and metadata. Digests are stored
// for ever: this never changes. docs/digest.md explains it, docs/digest-vectors.json holds it in place.

import { createHash } from "node:crypto";
import { create, toJson } from "@bufbuild/protobuf";
import canonicalize from "canonicalize";
import { type ModelMetadata, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";

/** What a digest covers. Metadata that is absent and metadata that is empty are different content. */
export interface RecordContent {
  readonly model: string;
  /** The version as given, build metadata included. */
  readonly version: string;
  readonly metadata: ModelMetadata | undefined;
}

/** The digest of a record's content: 32 bytes. The content must be valid, above all its numbers finite. */
export function recordDigest(content: RecordContent): Uint8Array {
  return createHash("sha256")
    .update(`stele-record-v1\n${canonicalRecord(content)}`, "utf8")
    .digest();
}

/** The canonical JSON of a record's content. */
export function canonicalRecord({ model, version, metadata }: RecordContent): string {
  const record = create(ModelVersionSchema, metadata === undefined ? { model, version } : { model, version, metadata });
  const text = canonicalize(toJson(ModelVersionSchema, record));
  if (text === undefined) throw new Error("a record has no canonical JSON");
  return text;
}

/** `sha256:` and lower-case hexadecimal digits, as digests are written in records. */
export function formatDigest(digest: Uint8Array): string {
  return `sha256:${Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString("hex")}`;
}

/** Whether the text is `sha256:` and 64 lower-case hexadecimal digits. */
export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
