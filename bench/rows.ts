// Rows as the service would have written them: each is parsed as a registration, digested and encoded by the domain.
// The same plan makes the same content again, except for the moment of registration.

import { createHash, randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { RegisterVersionRequestSchema } from "../gen/stele/v1/model_registry_service_pb.ts";
import {
  type Artifact,
  ArtifactSchema,
  type ModelMetadata,
  ModelMetadataSchema,
} from "../gen/stele/v1/model_version_pb.ts";
import { recordDigest } from "../src/domain/digest.ts";
import { type ModelName, parseModelName } from "../src/domain/model-name.ts";
import { encodePrecedence } from "../src/domain/precedence.ts";
import { encodeRecord } from "../src/domain/record.ts";
import { checkRecordSize } from "../src/domain/record-limits.ts";
import { parseRegistration } from "../src/domain/registration.ts";
import { Violations } from "../src/domain/violations.ts";
import type { ModelVersionTable } from "../src/store/schema.ts";

/** The largest record that a plan may ask for: what the domain takes. */
export const MAX_RECORD_BYTES = 1024 * 1024;

/** The versions of one model. */
export interface ModelPlan {
  readonly model: ModelName;
  readonly versions: number;
  /** About how long each record is; the smallest has about 400 bytes. */
  readonly recordBytes: number;
  readonly prereleasesPerRelease: number;
}

/** NAME alone, or NAME-0001, NAME-0002 and on; throws INVALID_REQUEST where that is no model's name. */
export function nameModels(name: string, count: number): ModelName[] {
  if (count === 1) return [nameModel(name)];
  return Array.from({ length: count }, (_, index) => nameModel(`${name}-${String(index + 1).padStart(4, "0")}`));
}

/** The name of a model; throws INVALID_REQUEST where it is none. */
export function nameModel(text: string): ModelName {
  const violations = new Violations();
  const model = parseModelName(text, "model", violations);
  if (model === undefined) throw violations.toError();
  return model;
}

const MAJORS = 10;
const MINORS = 100;

/** The rows of a model, from the lowest version up. */
export function* makeRows(plan: ModelPlan): Generator<ModelVersionTable, void, undefined> {
  const filling = makeFilling(plan);
  for (let index = 0; index < plan.versions; index += 1) yield makeRow(plan, index, filling);
}

/** The version at a place, from 0: prereleases rc.1, rc.2 and on, then their release; majors begin with 1. */
export function versionAt({ versions, prereleasesPerRelease }: ModelPlan, index: number): string {
  const train = prereleasesPerRelease + 1;
  const patches = Math.ceil(versions / train / (MAJORS * MINORS));
  const release = Math.floor(index / train);
  const minor = Math.floor(release / patches);
  const core = `${1 + Math.floor(minor / MINORS)}.${minor % MINORS}.${release % patches}`;
  const candidate = (index % train) + 1;
  return candidate === train ? core : `${core}-rc.${candidate}`;
}

function makeRow(plan: ModelPlan, index: number, filling: readonly Artifact[]): ModelVersionTable {
  const text = versionAt(plan, index);
  const request = create(RegisterVersionRequestSchema, {
    model: plan.model,
    number: { case: "version", value: text },
    metadata: makeMetadata(`${plan.model}/${text}`, index, filling),
  });
  const { model, number, metadata } = parseRegistration(request, new Violations());
  if (number.kind !== "explicit") throw new Error(`${text} is no version`);
  const digest = recordDigest({ model, version: text, metadata });
  const registered = { at: new Date(), by: "" };
  const record = encodeRecord({ model, version: text, digest, metadata, registered });
  checkRecordSize(record.length);
  return {
    model,
    precedence: encodePrecedence(number.version),
    version: text,
    record,
    digest,
    registered_at: registered.at,
    registered_by: registered.by,
    attempt: randomUUID(),
    request_id: null,
  };
}

const teams = ["vision", "speech", "ranking", "text"] as const;
const stages = ["candidate", "validated", "production"] as const;
const weightsDigest = `sha256:${createHash("sha256").update("weights").digest("hex")}`;

function makeMetadata(name: string, index: number, filling: readonly Artifact[]): ModelMetadata {
  const quality = spread(index);
  return create(ModelMetadataSchema, {
    architecture: "ResNet-50",
    framework: "pytorch 2.9",
    format: "safetensors",
    metrics: { accuracy: 0.5 + quality / 2, loss: 2 * (1 - quality) },
    labels: { team: teams[index % teams.length] ?? "", stage: stages[index % stages.length] ?? "" },
    artifacts: [
      {
        name: "weights",
        uri: `s3://models/${name}/weights.safetensors`,
        digest: weightsDigest,
        sizeBytes: 102_400_000n,
        mediaType: "application/octet-stream",
      },
      ...filling,
    ],
  });
}

/** Evenly over 0 to 1 with four decimals, neighbours far apart: multiples of the golden ratio. */
function spread(index: number): number {
  return Math.floor(((index * 0.618033988749895) % 1) * 10_000) / 10_000;
}

const MAX_URI_BYTES = 2048;
/** The tags and lengths around the URI of an artifact. */
const FRAME_BYTES = 6;
/** By so much the other fields vary. */
const SLACK_BYTES = 32;
const URI_START = "s3://models/shards/";

/** Artifacts with long URIs that no compression shortens, which bring a record to its size. */
function makeFilling(plan: ModelPlan): Artifact[] {
  const bare = makeRow(plan, plan.versions - 1, []).record.length;
  const artifacts: Artifact[] = [];
  let missing = plan.recordBytes - bare - SLACK_BYTES;
  while (missing > FRAME_BYTES + URI_START.length) {
    const sizeBytes = Math.min(missing - FRAME_BYTES, MAX_URI_BYTES);
    artifacts.push(create(ArtifactSchema, { uri: longUri(sizeBytes, artifacts.length) }));
    missing -= sizeBytes + FRAME_BYTES;
  }
  return artifacts;
}

function longUri(sizeBytes: number, shard: number): string {
  const noise = createHash("shake256", { outputLength: MAX_URI_BYTES }).update(String(shard)).digest("base64url");
  return `${URI_START}${noise}`.slice(0, sizeBytes);
}
