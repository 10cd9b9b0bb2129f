import { create, type JsonObject, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  type ArtifactSchema,
  type DatasetReferenceSchema,
  type ExternalReferenceSchema,
  type ModelMetadata,
  ModelMetadataSchema,
  type SourceReferenceSchema,
  type VersionReferenceSchema,
} from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryVersion } from "./arbitrary-version.ts";

const LEVELS = 16;

/** Metadata that keeps every limit, with the odd text, numbers, keys and nesting that the limits allow. */
export function arbitraryMetadata(): fc.Arbitrary<ModelMetadata> {
  return fc
    .record(
      {
        description: arbitraryText(16 * 1024),
        architecture: arbitraryText(256),
        framework: arbitraryText(256),
        format: arbitraryText(256),
        trainingData: fc.array(arbitraryDataset(), { maxLength: 3 }),
        source: arbitrarySource(),
        metrics: fc.dictionary(arbitraryMetricName(), arbitraryFinite(), { maxKeys: 5 }),
        artifacts: fc.array(arbitraryArtifact(), { maxLength: 3 }),
        dependencies: fc.array(arbitraryDependency(), { maxLength: 2 }),
        externalDependencies: fc.array(arbitraryExternal(), { maxLength: 2 }),
        labels: fc.dictionary(arbitraryLabelKey(), arbitraryText(256), { maxKeys: 4 }),
        attributes: arbitraryAttributes(),
      },
      { requiredKeys: [] },
    )
    .map((init) => create(ModelMetadataSchema, init));
}

/** A model's name. */
export function arbitraryModelName(): fc.Arbitrary<string> {
  const names = ["a", "vision/resnet-50", "image_classifier", "a__b.c/d---e/0", "a".repeat(255)];
  return fc.oneof(fc.constantFrom(...names), fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}$/));
}

/** Any well-formed text of at most so many bytes. */
export function arbitraryText(maxBytes: number): fc.Arbitrary<string> {
  const characters = fc.string({ unit: "binary", maxLength: 12 });
  const odd = fc.constantFrom("", "\u0000", "é", "e\u0301", "\u2028", '"\\\n', "𝕊", "\ufeff", "x".repeat(maxBytes));
  return fc.oneof(characters, fc.string({ unit: "grapheme", maxLength: 12 }), odd).filter(fitsIn(maxBytes));
}

/** Any finite double. */
export function arbitraryFinite(): fc.Arbitrary<number> {
  const odd = fc.constantFrom(0, -0, 1e21, 0.1 + 0.2, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 53 + 2, -1);
  return fc.oneof(odd, fc.double({ noNaN: true, noDefaultInfinity: true }));
}

/** Attributes of at most 16 levels. */
export function arbitraryAttributes(): fc.Arbitrary<JsonObject> {
  const small = fc.dictionary(arbitraryAttributeKey(), arbitraryValue(3), { maxKeys: 3 });
  const deep = fc.tuple(fc.array(fc.boolean(), { minLength: LEVELS - 1, maxLength: LEVELS - 1 }), arbitraryScalar());
  return fc.oneof(small, deep.map(nest));
}

function nest([containers, innermost]: [boolean[], JsonValue]): JsonObject {
  return { a: containers.reduce<JsonValue>((inside, isList) => (isList ? [inside] : { a: inside }), innermost) };
}

function arbitraryValue(levels: number): fc.Arbitrary<JsonValue> {
  if (levels === 0) return arbitraryScalar();
  const inside = arbitraryValue(levels - 1);
  const list = fc.array(inside, { maxLength: 3 });
  return fc.oneof(arbitraryScalar(), list, fc.dictionary(arbitraryAttributeKey(), inside, { maxKeys: 3 }));
}

function arbitraryScalar(): fc.Arbitrary<JsonValue> {
  return fc.oneof(fc.constant(null), fc.boolean(), arbitraryFinite(), arbitraryText(64));
}

function arbitraryAttributeKey(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom("__proto__", "constructor", "toJSON", "", "1", "a", "\ufb33", "😀"),
    arbitraryText(32),
  );
}

function arbitraryMetricName(): fc.Arbitrary<string> {
  const names = fc.constantFrom("accuracy", "test/accuracy", "a b", "__proto__", "\ufb33", "😀", "x".repeat(128));
  return fc.oneof(names, fc.stringMatching(/^[!-~]{1,20}$/));
}

function arbitraryLabelKey(): fc.Arbitrary<string> {
  return fc.oneof(fc.constantFrom("team", "__proto__", "a".repeat(63)), fc.stringMatching(/^[a-z0-9._/-]{1,20}$/));
}

function arbitraryUri(): fc.Arbitrary<string> {
  const uris = ["", "s3://b/k", "hf://org/model", "file:///m", "urn:uuid:0", `https://e/${"a".repeat(2038)}`];
  return fc.oneof(fc.constantFrom(...uris), fc.webUrl({ withQueryParameters: true, withFragments: true }));
}

function arbitraryDigest(): fc.Arbitrary<string> {
  return fc.oneof(fc.constant(""), fc.stringMatching(/^sha256:[0-9a-f]{64}$/));
}

function arbitraryDataset(): fc.Arbitrary<MessageInitShape<typeof DatasetReferenceSchema>> {
  return fc.record({
    name: arbitraryText(256).filter(isGiven),
    version: arbitraryText(256),
    uri: arbitraryUri(),
    digest: arbitraryDigest(),
  });
}

function arbitrarySource(): fc.Arbitrary<MessageInitShape<typeof SourceReferenceSchema>> {
  return fc.record(
    { repository: arbitraryUri(), revision: arbitraryText(256), runUri: arbitraryUri() },
    { requiredKeys: [] },
  );
}

function arbitraryArtifact(): fc.Arbitrary<MessageInitShape<typeof ArtifactSchema>> {
  return fc.record(
    {
      uri: arbitraryUri().filter(isGiven),
      name: arbitraryText(256),
      digest: arbitraryDigest(),
      sizeBytes: fc.oneof(fc.constantFrom(0n, 2n ** 63n - 1n), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
      mediaType: arbitraryText(256),
    },
    { requiredKeys: ["uri"] },
  );
}

function arbitraryDependency(): fc.Arbitrary<MessageInitShape<typeof VersionReferenceSchema>> {
  return fc.record({ model: arbitraryModelName(), version: arbitraryVersion(), relation: arbitraryText(256) });
}

function arbitraryExternal(): fc.Arbitrary<MessageInitShape<typeof ExternalReferenceSchema>> {
  return fc.record({
    name: arbitraryText(256).filter(isGiven),
    version: arbitraryText(256),
    uri: arbitraryUri(),
    digest: arbitraryDigest(),
    relation: arbitraryText(256),
  });
}

function isGiven(text: string): boolean {
  return text !== "";
}

function fitsIn(maxBytes: number): (text: string) => boolean {
  return (text) => Buffer.byteLength(text) <= maxBytes;
}
