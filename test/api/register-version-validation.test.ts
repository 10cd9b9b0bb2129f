import { create, type JsonObject, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { errorOf } from "../support/rpc-error.ts";
import { sendBytes } from "../support/send-bytes.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

type Metadata = MessageInitShape<typeof ModelMetadataSchema>;

const registerPath = "/stele.v1.ModelRegistryService/RegisterVersion";

async function expectNothingStored(model: string): Promise<void> {
  expect(await errorOf(service.client.listAll({ model }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
}

describe("RegisterVersion refuses, and stores nothing,", () => {
  it.each([
    "",
    "v1.0.0",
    " 1.0.0",
    "1.0.0 ",
    "1.0.0\n",
    "\u00a01.0.0",
    "\ufeff1.0.0",
    "=1.0.0",
    "1.0",
    "1",
    "01.0.0",
    "1.0.0-01",
    "1.0.0-",
    "1.0.0+",
    "1.0.0-a..b",
    "9007199254740992.0.0",
    "1.0.0-9007199254740992",
    "1.0.0-ü",
    "1.2.x",
    `1.0.0-${"a".repeat(123)}`,
  ])("the version %j", async (value) => {
    const model = uniqueModel();
    const error = await errorOf(service.client.register({ model, number: { case: "version", value } }));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      domain: "stele",
      violations: [expect.stringMatching(/^version: /)],
    });
    await expectNothingStored(model);
  });

  it.each(["", "Image", "a//b", "../x", "/a", "a/", "-a", "a_", "a___b", "a b", "ü", "a".repeat(256)])(
    "the model %j",
    async (model) => {
      const error = await errorOf(service.client.registerBare(model, "1.0.0"));
      expect(error).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "INVALID_REQUEST",
        violations: [expect.stringMatching(/^model: /)],
      });
    },
  );

  it("a request without a number", async () => {
    const model = uniqueModel();
    const error = await errorOf(service.client.register({ model }));
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: [expect.stringMatching(/^version: is required; .* or an increment$/)],
    });
    await expectNothingStored(model);
  });

  const sha256 = `sha256:${"0a".repeat(32)}`;
  const invalidMetadata: readonly (readonly [string, Metadata])[] = [
    ["metadata.description", { description: "x".repeat(16 * 1024 + 1) }],
    ["metadata.description", { description: `${"ü".repeat(8 * 1024)}x` }],
    ["metadata.architecture", { architecture: "x".repeat(257) }],
    ['metadata.metrics["accuracy"]', { metrics: { accuracy: Number.NaN } }],
    ['metadata.metrics["accuracy"]', { metrics: { accuracy: Number.POSITIVE_INFINITY } }],
    ['metadata.metrics["accuracy"]', { metrics: { accuracy: Number.NEGATIVE_INFINITY } }],
    ['metadata.metrics[""]', { metrics: { "": 1 } }],
    ["metadata.artifacts[1].uri", { artifacts: [{ uri: "s3://a" }, { name: "weights" }] }],
    ["metadata.artifacts[0].uri", { artifacts: [{ uri: "weights.bin" }] }],
    ["metadata.artifacts[0].digest", { artifacts: [{ uri: "s3://a", digest: sha256.toUpperCase() }] }],
    ["metadata.artifacts[0].digest", { artifacts: [{ uri: "s3://a", digest: `md5:${"0".repeat(32)}` }] }],
    ["metadata.artifacts[0].size_bytes", { artifacts: [{ uri: "s3://a", sizeBytes: -1n }] }],
    ["metadata.artifacts", { artifacts: Array.from({ length: 1001 }, () => ({ uri: "s3://a" })) }],
    ["metadata.training_data[0].name", { trainingData: [{ uri: "s3://a" }] }],
    ["metadata.training_data", { trainingData: Array.from({ length: 257 }, () => ({ name: "d" })) }],
    ["metadata.external_dependencies[0].name", { externalDependencies: [{ uri: "s3://a" }] }],
    ["metadata.source.repository", { source: { repository: "not a uri" } }],
    ['metadata.labels["Team"]', { labels: { Team: "vision" } }],
    ['metadata.labels["team"]', { labels: { team: "x".repeat(257) } }],
    ["metadata.labels", { labels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ""])) }],
    ["metadata.attributes", { attributes: { text: "x".repeat(64 * 1024) } }],
    [`metadata.attributes.${Array(16).fill("a").join(".")}`, { attributes: nested(17) }],
  ];

  it.each(invalidMetadata)("what breaks the rule of %s", async (path, metadata) => {
    const model = uniqueModel();
    const error = await errorOf(
      service.client.register({ model, number: { case: "version", value: "1.0.0" }, metadata }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", domain: "stele" });
    expect(error.violations.map((violation) => violation.slice(0, violation.indexOf(": ")))).toEqual([path]);
    await expectNothingStored(model);
  });

  it("every violated field, all told at once", async () => {
    const error = await errorOf(
      service.client.register({
        model: "Upper",
        number: { case: "version", value: "1.0" },
        metadata: { metrics: { loss: Number.NaN }, artifacts: [{ digest: "x", sizeBytes: -1n }] },
      }),
    );
    expect(error.violations.map((violation) => violation.slice(0, violation.indexOf(": ")))).toEqual([
      "model",
      "version",
      'metadata.metrics["loss"]',
      "metadata.artifacts[0].uri",
      "metadata.artifacts[0].digest",
      "metadata.artifacts[0].size_bytes",
    ]);
    expect(error.metadata).toMatchObject({ violations: "6" });
  });

  it("a record beyond 1 MiB, although each field is within its limit", async () => {
    const model = uniqueModel();
    const artifacts = Array.from({ length: 600 }, () => ({ uri: `s3://${"x".repeat(2000)}` }));
    const error = await errorOf(
      service.client.register({ model, number: { case: "version", value: "1.0.0" }, metadata: { artifacts } }),
    );
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: [expect.stringMatching(/^metadata: makes a record of \d+ bytes; a record has at most 1048576/)],
    });
    await expectNothingStored(model);
  });
});

describe("RegisterVersion refuses fields that it does not know,", () => {
  const text = new BinaryWriter().tag(1, WireType.LengthDelimited).string("x").finish();

  it.each([
    ["1000", extra(1000)],
    ["metadata.1000", field(4, extra(1000))],
    ["metadata.artifacts[1].99", field(4, field(8, uri()), field(8, uri(), extra(99)))],
    ["metadata.attributes.a.99", field(4, field(12, field(1, text.with(2, 0x61), field(2, extra(99)))))],
  ])("%s", async (path, bytes) => {
    const model = uniqueModel();
    const request = create(RegisterVersionRequestSchema, { model, number: { case: "version", value: "1.0.0" } });
    const sent = Buffer.concat([toBinary(RegisterVersionRequestSchema, request), bytes]);
    const error = await errorOf(sendBytes(service.address, registerPath, sent));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "UNKNOWN_FIELD", metadata: { field: path } });
    await expectNothingStored(model);
  });
});

describe("RegisterVersion answers a client error", () => {
  it.each([
    ["truncated", Buffer.of(0x0a, 0x05, 0x61)],
    ["an endless varint", Buffer.alloc(20, 0xff)],
    ["100,000 levels of nesting", Buffer.alloc(100_000, 0x22)],
  ])("to bytes that cannot be decoded: %s", async (_, bytes) => {
    expect(await errorOf(sendBytes(service.address, registerPath, bytes))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "UNDECODABLE_REQUEST",
    });
  });
});

describe("RegisterVersion tells where text is not UTF-8,", () => {
  const invalid = {
    "a lone byte": Buffer.of(0xff),
    overlong: Buffer.of(0xc0, 0xaf),
    "a surrogate": Buffer.of(0xed, 0xa0, 0x80),
  };

  it.each([
    ["model", (text: Buffer) => field(1, text)],
    ["metadata.description", (text: Buffer) => field(4, field(1, text))],
    ["metadata.artifacts[0].uri", (text: Buffer) => field(4, field(8, field(2, text)))],
    ['metadata.labels["k"].value', (text: Buffer) => field(4, field(11, field(1, Buffer.from("k")), field(2, text)))],
    [
      "metadata.attributes.a.string_value",
      (text: Buffer) => field(4, field(12, field(1, field(1, Buffer.from("a")), field(2, field(3, text))))),
    ],
  ])("in %s", async (path, request) => {
    for (const text of Object.values(invalid)) {
      const error = await errorOf(sendBytes(service.address, registerPath, request(text)));
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" });
      expect(error.violations).toContain(`${path}: is not UTF-8; send text in UTF-8, and bytes in base64`);
    }
  });
});

function nested(levels: number): JsonObject {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

function field(number: number, ...parts: Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(value).finish());
}

function extra(number: number): Buffer {
  return field(number, Buffer.from("unknown"));
}

function uri(): Buffer {
  return field(2, Buffer.from("s3://a"));
}
