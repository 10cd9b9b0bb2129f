// The limits of a record: a rule for every field of every message in it. All lengths are bytes of UTF-8.

import {
  type Artifact,
  ArtifactSchema,
  type DatasetReference,
  DatasetReferenceSchema,
  type ExternalReference,
  ExternalReferenceSchema,
  type ModelMetadata,
  ModelMetadataSchema,
  type SourceReference,
  SourceReferenceSchema,
  type VersionReference,
  VersionReferenceSchema,
} from "../../gen/stele/v1/model_version_pb.ts";
import { validateAttributes } from "./attributes.ts";
import { isDigest } from "./digest.ts";
import {
  type Form,
  finite,
  ifPresent,
  listOf,
  mapOf,
  message,
  notNegative,
  type Rule,
  required,
  text,
} from "./field-rules.ts";
import { parseModelName } from "./model-name.ts";
import { isAbsoluteUri } from "./uri.ts";
import { parseVersion } from "./version.ts";

const KIB = 1024;

const uri = text(2 * KIB, {
  accepts: isAbsoluteUri,
  otherwise: "is not an absolute URI (RFC 3986), such as s3://models/resnet/weights; percent-encode odd characters",
});

const digest = text(2 * KIB, {
  accepts: isDigest,
  otherwise: 'is not a digest; give "sha256:" and 64 lower-case hexadecimal digits',
});

const labelKey: Form = {
  accepts: (key) => /^[a-z0-9._/-]{1,63}$/.test(key),
  otherwise: 'has an invalid key; use 1 to 63 of a-z, 0-9, ".", "_", "/" and "-"',
};

// Printable as Unicode has it: no control, format, private or unassigned character, and no separator but the space.
const metricName: Form = {
  accepts: (key) => Buffer.byteLength(key) <= 128 && /^(?: |[^\p{C}\p{Z}])+$/u.test(key),
  otherwise: "has an invalid name; use 1 to 128 bytes of printable text",
};

const dataset = message<DatasetReference>(DatasetReferenceSchema, {
  name: required(text(256)),
  version: text(256),
  uri,
  digest,
});

const source = message<SourceReference>(SourceReferenceSchema, {
  repository: uri,
  revision: text(256),
  runUri: uri,
});

const artifact = message<Artifact>(ArtifactSchema, {
  name: text(256),
  uri: required(uri),
  digest,
  sizeBytes: ifPresent(notNegative),
  mediaType: text(256),
});

const dependency = message<VersionReference>(VersionReferenceSchema, {
  model: parseModelName,
  version: parseVersion,
  relation: text(256),
});

const externalDependency = message<ExternalReference>(ExternalReferenceSchema, {
  name: required(text(256)),
  version: text(256),
  uri,
  digest,
  relation: text(256),
});

/** Adds every rule that the metadata at the path breaks. */
export const validateMetadata: Rule<ModelMetadata> = message<ModelMetadata>(ModelMetadataSchema, {
  description: text(16 * KIB),
  architecture: text(256),
  framework: text(256),
  format: text(256),
  trainingData: listOf(256, dataset),
  source: ifPresent(source),
  metrics: mapOf(256, metricName, finite),
  artifacts: listOf(1000, artifact),
  dependencies: listOf(256, dependency),
  externalDependencies: listOf(256, externalDependency),
  labels: mapOf(64, labelKey, text(256)),
  attributes: ifPresent(validateAttributes),
});
