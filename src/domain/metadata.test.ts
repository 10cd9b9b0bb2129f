import { create, equals, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GetVersionResponseSchema, ListVersionsResponseSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryMetadata } from "../../test/support/arbitrary-metadata.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { validateMetadata } from "./metadata.ts";
import { quote } from "./quote.ts";

type MetadataInit = MessageInitShape<typeof ModelMetadataSchema>;

function validate(init: MetadataInit) {
  const metadata = create(ModelMetadataSchema, init);
  return violationsOf((violations) => validateMetadata(metadata, "metadata", violations));
}

function invalid(field: string, description: string) {
  return { field, description, reason: "INVALID_FIELD" };
}

const uri = "s3://b/k";
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const model = "base";
const version = "1.0.0";

test("accepts nothing at all", () => {
  expect(validate({})).toEqual([]);
  expect(validate({ source: {}, attributes: {} })).toEqual([]);
});

// A field with a bound in bytes: metadata with a text of that many bytes in it.
const texts: readonly [path: string, maxBytes: number, init: (text: string) => MetadataInit][] = [
  ["description", 16_384, (description) => ({ description })],
  ["architecture", 256, (architecture) => ({ architecture })],
  ["framework", 256, (framework) => ({ framework })],
  ["format", 256, (format) => ({ format })],
  ["training_data[0].name", 256, (name) => ({ trainingData: [{ name }] })],
  ["training_data[0].version", 256, (text) => ({ trainingData: [{ name: "a", version: text }] })],
  ["source.revision", 256, (revision) => ({ source: { revision } })],
  ["artifacts[0].name", 256, (name) => ({ artifacts: [{ uri, name }] })],
  ["artifacts[0].media_type", 256, (mediaType) => ({ artifacts: [{ uri, mediaType }] })],
  ["dependencies[0].relation", 256, (relation) => ({ dependencies: [{ model, version, relation }] })],
  ["external_dependencies[0].name", 256, (name) => ({ externalDependencies: [{ name }] })],
  ["external_dependencies[0].version", 256, (text) => ({ externalDependencies: [{ name: "a", version: text }] })],
  ["external_dependencies[0].relation", 256, (relation) => ({ externalDependencies: [{ name: "a", relation }] })],
  ['labels["a"]', 256, (text) => ({ labels: { a: text } })],
];

test.each(texts)("bounds metadata.%s at %d bytes", (path, maxBytes, init) => {
  const tooLong = `has ${maxBytes + 1} bytes; at most ${maxBytes} are allowed`;
  expect(validate(init("x".repeat(maxBytes)))).toEqual([]);
  expect(validate(init("é".repeat(maxBytes / 2)))).toEqual([]);
  expect(validate(init("x".repeat(maxBytes + 1)))).toEqual([invalid(`metadata.${path}`, tooLong)]);
  expect(validate(init(`x${"é".repeat(maxBytes / 2)}`))).toEqual([invalid(`metadata.${path}`, tooLong)]);
});

const uris: readonly [path: string, init: (text: string) => MetadataInit][] = [
  ["training_data[0].uri", (text) => ({ trainingData: [{ name: "a", uri: text }] })],
  ["source.repository", (repository) => ({ source: { repository } })],
  ["source.run_uri", (runUri) => ({ source: { runUri } })],
  ["artifacts[0].uri", (text) => ({ artifacts: [{ uri: text }] })],
  ["external_dependencies[0].uri", (text) => ({ externalDependencies: [{ name: "a", uri: text }] })],
];

test.each(uris)("takes an absolute URI of at most 2 KiB in metadata.%s", (path, init) => {
  expect(validate(init(`s3://${"a".repeat(2043)}`))).toEqual([]);
  expect(validate(init(`s3://${"a".repeat(2044)}`))).toEqual([
    invalid(`metadata.${path}`, "has 2049 bytes; at most 2048 are allowed"),
  ]);
  expect(validate(init("weights.bin"))).toEqual([
    invalid(
      `metadata.${path}`,
      '"weights.bin" is not an absolute URI (RFC 3986), such as s3://models/resnet/weights; percent-encode odd characters',
    ),
  ]);
});

const digests: readonly [path: string, init: (text: string) => MetadataInit][] = [
  ["training_data[0].digest", (text) => ({ trainingData: [{ name: "a", digest: text }] })],
  ["artifacts[0].digest", (text) => ({ artifacts: [{ uri, digest: text }] })],
  ["external_dependencies[0].digest", (text) => ({ externalDependencies: [{ name: "a", digest: text }] })],
];

describe.each(digests)("metadata.%s", (path, init) => {
  test("takes sha256: and 64 lower-case hexadecimal digits, or nothing", () => {
    expect(validate(init(digest))).toEqual([]);
    expect(validate(init(""))).toEqual([]);
  });

  test.each([
    digest.slice(0, -1),
    `${digest}0`,
    digest.toUpperCase(),
    digest.replace("0", "A"),
    digest.replace("sha256:", ""),
    digest.replace("sha256", "md5"),
    `${digest}\n`,
    ` ${digest}`,
  ])("refuses %j", (text) => {
    const shown = quote(text);
    const description = `${shown} is not a digest; give "sha256:" and 64 lower-case hexadecimal digits`;
    expect(validate(init(text))).toEqual([invalid(`metadata.${path}`, description)]);
  });
});

test.each<[string, MetadataInit]>([
  ["training_data[1].name", { trainingData: [{ name: "a" }, { uri }] }],
  ["artifacts[2].uri", { artifacts: [{ uri }, { uri }, { name: "weights" }] }],
  ["external_dependencies[0].name", { externalDependencies: [{ uri }] }],
])("requires metadata.%s", (path, init) => {
  expect(validate(init)).toEqual([invalid(`metadata.${path}`, "is required")]);
});

test("requires the model and the version of a dependency", () => {
  expect(validate({ dependencies: [{ model, version }, {}] })).toEqual([
    invalid("metadata.dependencies[1].model", "is required; give the model's name, such as vision/resnet-50"),
    invalid("metadata.dependencies[1].version", "is required; give a semantic version, such as 1.4.0"),
  ]);
});

test("holds the model and the version of a dependency to their grammars", () => {
  expect(validate({ dependencies: [{ model: "Base", version: "v1.0.0" }] })).toEqual([
    invalid("metadata.dependencies[0].model", '"Base" has upper-case letters; a model\'s name is in lower case'),
    invalid(
      "metadata.dependencies[0].version",
      '"v1.0.0" is not a semantic version; leave out what stands before the first number',
    ),
  ]);
});

test("takes sizes from 0 to 2^63-1, and no negative one", () => {
  const sizes = [0n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
  expect(validate({ artifacts: sizes.map((sizeBytes) => ({ uri, sizeBytes })) })).toEqual([
    invalid("metadata.artifacts[2].size_bytes", "is -1; it is never negative"),
    invalid("metadata.artifacts[3].size_bytes", "is -9223372036854775808; it is never negative"),
  ]);
});

function entriesOf<Value>(count: number, value: Value): Record<string, Value> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
}

const counted: readonly [path: string, max: number, init: (count: number) => MetadataInit][] = [
  ["training_data", 256, (count) => ({ trainingData: Array(count).fill({ name: "a" }) })],
  ["artifacts", 1000, (count) => ({ artifacts: Array(count).fill({ uri }) })],
  ["dependencies", 256, (count) => ({ dependencies: Array(count).fill({ model, version }) })],
  ["external_dependencies", 256, (count) => ({ externalDependencies: Array(count).fill({ name: "a" }) })],
  ["labels", 64, (count) => ({ labels: entriesOf(count, "") })],
  ["metrics", 256, (count) => ({ metrics: entriesOf(count, 1) })],
];

test.each(counted)("takes at most so many metadata.%s: %d", (path, max, init) => {
  expect(validate(init(max))).toEqual([]);
  expect(validate(init(max + 1))).toEqual([
    invalid(`metadata.${path}`, `has ${max + 1} entries; at most ${max} are allowed`),
  ]);
});

test("checks an over-long list up to its limit only", () => {
  const artifacts = Array.from({ length: 5000 }, (_, index) => (index === 7 || index >= 1000 ? {} : { uri }));
  expect(validate({ artifacts })).toEqual([
    invalid("metadata.artifacts", "has 5000 entries; at most 1000 are allowed"),
    invalid("metadata.artifacts[7].uri", "is required"),
  ]);
});

test("checks an over-long map up to its limit only", () => {
  expect(validate({ metrics: entriesOf(300, Number.NaN) })).toHaveLength(1 + 256);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses the metric %d", (value) => {
  expect(validate({ metrics: { loss: 1, "a b": value } })).toEqual([
    invalid('metadata.metrics["a b"]', `is ${value}; give a finite number`),
  ]);
});

const invalidName = "has an invalid name; use 1 to 128 bytes of printable text";

test.each(["a", "test/accuracy", "a b", "précision", "точность", "正確度", "𝕊", "😀", "__proto__", "x".repeat(128)])(
  "takes a metric named %j",
  (name) => {
    expect(validate({ metrics: Object.fromEntries([[name, 1]]) })).toEqual([]);
  },
);

test.each([
  "",
  "x".repeat(129),
  "é".repeat(65),
  "a\n",
  "\u0000",
  "a\u007f",
  "a\u0085",
  "a\u00a0b",
  "a\u200b",
  "\u202e",
  "\u2028",
  "\ufeff",
  "\ue000",
  "\u0378",
])("refuses a metric named %j", (name) => {
  const shown = quote(name);
  expect(validate({ metrics: { [name]: 1 } })).toEqual([invalid(`metadata.metrics[${shown}]`, invalidName)]);
});

const invalidKey = 'has an invalid key; use 1 to 63 of a-z, 0-9, ".", "_", "/" and "-"';

test.each(["a", "0", "team.example/name_1-x", "__proto__", "-", "a".repeat(63)])("takes the label %j", (key) => {
  expect(validate({ labels: Object.fromEntries([[key, "x"]]) })).toEqual([]);
});

test.each(["", "X", "a b", "a\n", "é", "a:b", "a".repeat(64)])("refuses the label %j", (key) => {
  expect(validate({ labels: { [key]: "x" } })).toEqual([
    invalid(`metadata.labels[${JSON.stringify(key)}]`, invalidKey),
  ]);
});

test("tells of attributes by their path", () => {
  expect(validate({ attributes: { a: { b: [0, 1, 2, Number.NaN] } } })).toEqual([
    invalid("metadata.attributes.a.b[3]", "is NaN; numbers are finite"),
  ]);
});

test("tells everything that is wrong, in the order of the proto", () => {
  const found = validate({
    architecture: "x".repeat(257),
    source: { repository: "x" },
    metrics: { a: Number.NaN },
    artifacts: [{ uri, digest: "md5:0", sizeBytes: -1n }, {}],
    labels: { X: "x" },
    attributes: { a: Number.NaN },
  });
  expect(found.map(({ field }) => field)).toEqual([
    "metadata.architecture",
    "metadata.source.repository",
    'metadata.metrics["a"]',
    "metadata.artifacts[0].digest",
    "metadata.artifacts[0].size_bytes",
    "metadata.artifacts[1].uri",
    'metadata.labels["X"]',
    "metadata.attributes.a",
  ]);
});

test("lets pass only metadata that decodes unchanged in every response", () => {
  fc.assert(
    fc.property(arbitraryMetadata(), (metadata) => {
      expect(validate(metadata)).toEqual([]);
      const modelVersion = { model, version, metadata };
      const response = create(GetVersionResponseSchema, { modelVersion });
      const page = create(ListVersionsResponseSchema, { versions: [{ modelVersion }], nextPageToken: "t" });
      const limit = { recursionLimit: 100 };
      const read = fromBinary(GetVersionResponseSchema, toBinary(GetVersionResponseSchema, response), limit);
      const listed = fromBinary(ListVersionsResponseSchema, toBinary(ListVersionsResponseSchema, page), limit);
      expect(equals(GetVersionResponseSchema, read, response)).toBe(true);
      expect(equals(ListVersionsResponseSchema, listed, page)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
