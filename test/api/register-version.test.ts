import { create, equals } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../../src/domain/digest.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf, type RpcError } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

const metadata = create(ModelMetadataSchema, {
  description: "Tells cats from dogs.",
  architecture: "CNN",
  framework: "pytorch 2.9",
  format: "safetensors",
  trainingData: [{ name: "dataset_v3", uri: "s3://datasets/v3" }],
  source: { repository: "https://git.example.com/vision", revision: "4f2a9c1", runUri: "https://runs.example.com/17" },
  metrics: { accuracy: 0.95, "test/loss": -0 },
  artifacts: [{ name: "weights", uri: "s3://models/weights", digest: `sha256:${"0a".repeat(32)}`, sizeBytes: 0n }],
  externalDependencies: [{ name: "resnet-50", uri: "hf://resnet-50", relation: "base" }],
  labels: { team: "vision", __proto__x: "1" },
  attributes: { nested: { list: [1, null, "ü", { deep: true }] } },
});

describe("RegisterVersion", () => {
  it("answers the whole record, its digest and the time, and stores it as answered", async () => {
    const model = uniqueModel("image_classifier");
    const before = Date.now();
    const registered = await service.client.register({
      model,
      number: { case: "version", value: "1.0.1-rc.1+build.5" },
      metadata,
    });
    expect(registered).toMatchObject({ model, version: "1.0.1-rc.1+build.5", registeredBy: "" });
    expect(registered?.metadata && equals(ModelMetadataSchema, registered.metadata, metadata)).toBe(true);
    expect(registered?.digest).toBe(formatDigest(recordDigest({ model, version: "1.0.1-rc.1+build.5", metadata })));
    const registeredAt = registered?.registeredAt && timestampDate(registered.registeredAt).getTime();
    expect(registeredAt).toBeGreaterThanOrEqual(before);
    expect(registeredAt).toBeLessThanOrEqual(Date.now());
    expect(await service.client.getExact(model, "1.0.1-rc.1")).toEqual(registered);
  });

  it("keeps absent metadata apart from empty metadata", async () => {
    const model = uniqueModel();
    const absent = await service.client.registerBare(model, "1.0.0");
    const empty = await service.client.register({ model, number: { case: "version", value: "1.0.1" }, metadata: {} });
    expect(absent?.metadata).toBeUndefined();
    expect(empty?.metadata).toBeDefined();
  });

  it("stores versions in any order, an older line after a newer one included", async () => {
    const model = uniqueModel();
    for (const version of ["2.0.0", "1.0.0", "2.0.0-rc.1", "1.9.9"]) await service.client.registerBare(model, version);
    expect(await service.client.listAll({ model })).toEqual(["2.0.0", "2.0.0-rc.1", "1.9.9", "1.0.0"]);
  });
});

describe("RegisterVersion of a version that is taken", () => {
  it("answers ALREADY_EXISTS and says that the content is the same", async () => {
    const model = uniqueModel();
    const request = { model, number: { case: "version", value: "1.0.0" }, metadata } as const;
    const first = await service.client.register(request);
    expect(await errorOf(service.client.register(request))).toEqual(
      conflict({ model, version: "1.0.0", first, identical: true }),
    );
  });

  it("answers ALREADY_EXISTS and says that the content is other", async () => {
    const model = uniqueModel();
    const first = await service.client.registerBare(model, "1.0.0");
    const again = service.client.register({ model, number: { case: "version", value: "1.0.0" }, metadata });
    expect(await errorOf(again)).toEqual(conflict({ model, version: "1.0.0", first, identical: false }));
    expect(await service.client.getExact(model, "1.0.0")).toEqual(first);
  });

  it("takes versions that differ only in build metadata for the same", async () => {
    const model = uniqueModel();
    const first = await service.client.registerBare(model, "1.0.0-rc.1+linux");
    for (const version of ["1.0.0-rc.1", "1.0.0-rc.1+darwin"]) {
      const again = await errorOf(service.client.registerBare(model, version));
      expect(again).toEqual(conflict({ model, version, first, identical: false }));
    }
    expect(await service.client.listAll({ model })).toEqual(["1.0.0-rc.1+linux"]);
  });

  it("lets exactly one of 64 racing clients win and tells the others the winner's digest", async () => {
    const model = uniqueModel();
    const clients = Array.from({ length: 64 }, () => new RegistryClient(service.address));
    const calls = clients.map((client, index) =>
      client.register({
        model,
        number: { case: "version", value: `1.0.0+client.${index}` },
        metadata: { description: `of client ${index}` },
      }),
    );
    const outcomes = await Promise.allSettled(calls);
    for (const client of clients) client[Symbol.dispose]();
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(won).toHaveLength(1);
    const winner = won[0]?.value;
    const lost = await Promise.all(
      calls.map((call) =>
        call.then(
          () => undefined,
          () => errorOf(call),
        ),
      ),
    );
    const errors = lost.filter((error) => error !== undefined);
    expect(errors).toHaveLength(63);
    for (const error of errors) {
      expect(error).toEqual(
        conflict({ model, version: error.metadata["version"] ?? "", first: winner, identical: false }),
      );
    }
    expect(await service.client.listAll({ model })).toEqual([winner?.version]);
    expect(await service.client.getExact(model, "1.0.0")).toEqual(winner);
  });
});

interface Conflict {
  model: string;
  version: string;
  first: Awaited<ReturnType<RegistryClient["register"]>>;
  identical: boolean;
}

function conflict({ model, version, first, identical }: Conflict): RpcError {
  if (first?.registeredAt === undefined) throw new Error("the first registration has no time");
  return {
    code: "ALREADY_EXISTS",
    message:
      `version ${version} of model "${model}" is already registered` +
      `${version === first.version ? "" : ` as ${first.version}`}, ` +
      `with ${identical ? "the same content" : "other content"}; versions never change, ` +
      "register the next number instead",
    reason: "VERSION_ALREADY_EXISTS",
    domain: "stele",
    metadata: {
      model,
      version,
      existing_version: first.version,
      existing_digest: first.digest,
      registered_at: timestampDate(first.registeredAt).toISOString(),
      identical: String(identical),
    },
    violations: [],
    resource: `stele.v1.ModelVersion ${model}@${first.version}`,
    retryDelayMs: undefined,
  };
}
