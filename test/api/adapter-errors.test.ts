import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { invalidField, invalidRequest, modelNotFound, RegistryError } from "../../src/domain/errors.ts";
import {
  type FakeRegistry,
  getVersion,
  listVersions,
  outcomeOf,
  serveFake,
  versionResponse,
} from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";
import { errorOf, type RpcError } from "../support/rpc-error.ts";
import { expectNoUnhandledRejection } from "../support/unhandled-rejections.ts";

const methods = ["getVersion", "listVersions"] as const;

expectNoUnhandledRejection();

describe.each(methods)("an error of %s", (method) => {
  it("that is a RegistryError arrives whole", async () => {
    await using fake = await serveThrowing(modelNotFound("resnet"));
    expect(await failureOf(fake, method)).toEqual({
      code: "NOT_FOUND",
      message: 'model "resnet" has no versions; check the name and that you may read it, or register its first version',
      reason: "MODEL_NOT_FOUND",
      domain: "stele",
      metadata: { model: "resnet" },
      violations: [],
      resource: "stele.v1.Model resnet",
      retryDelayMs: undefined,
    });
  });

  it("that is unknown is INTERNAL, with nothing of its text", async () => {
    await using fake = await serveThrowing(new Error('duplicate key value violates "model_version_pkey"'));
    const failure = await failureOf(fake, method);
    expect(failure).toMatchObject({ code: "INTERNAL", reason: "INTERNAL" });
    expect(JSON.stringify(failure)).not.toContain("duplicate");
    expect(fake.logged).toMatchObject([{ id: failure.metadata["id"], message: "internal error" }]);
  });

  it("that looks like one of grpc-js is unknown too", async () => {
    await using fake = await serveThrowing(
      Object.assign(new Error("upstream secret"), { code: status.NOT_FOUND, details: "upstream secret" }),
    );
    const failure = await failureOf(fake, method);
    expect(failure).toMatchObject({ code: "INTERNAL", reason: "INTERNAL" });
    expect(JSON.stringify(failure)).not.toContain("secret");
  });

  it("arrives when its texts have lone surrogates, are not ASCII, and are long", async () => {
    const metadata = { lone: "a\ud800b", greek: "μοντέλο", long: "x".repeat(10_240) };
    await using fake = await serveThrowing(new RegistryError("INVALID_REQUEST", "\udc00 μοντέλο 😀", { metadata }));
    expect(await failureOf(fake, method)).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "\ufffd μοντέλο 😀",
      reason: "INVALID_REQUEST",
      metadata: { lone: "a\ufffdb", greek: "μοντέλο", long: expect.stringMatching(/^x{300,}…$/) },
    });
  });

  it("arrives when its violations would overflow the trailers", async () => {
    const [first, ...rest] = Array.from({ length: 100 }, (_, n) =>
      invalidField(`artifacts[${n}].uri`, "is bad ".repeat(100)),
    );
    if (first === undefined) throw new Error("there are 100");
    await using fake = await serveThrowing(invalidRequest([first, ...rest]));
    const { code, reason, violations, metadata } = await failureOf(fake, method);
    expect({ code, reason }).toEqual({ code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST" });
    expect(violations[0]).toMatch(/^artifacts\[0\]\.uri: is bad/);
    expect(violations.length + Number(metadata["violations_omitted"])).toBe(100);
  });

  it("leaves less than 4 KB in the trailers' details", async () => {
    const violations = Array.from({ length: 100 }, (_, n) => invalidField(`field[${n}]`, "😀".repeat(1000)));
    await using fake = await serveThrowing(new RegistryError("INVALID_REQUEST", "é".repeat(5000), { violations }));
    await using raw = openRawCall(fake.address, ModelRegistryServiceDefinition[method].path, {
      message: new Uint8Array(),
    });
    raw.stream.end();
    const trailers = await raw.trailers;
    const details = Buffer.from(`${trailers["grpc-status-details-bin"]}`, "base64");
    expect(details.length + `${trailers["grpc-message"]}`.length).toBeLessThan(4096);
    expect(details.length).toBeGreaterThan(2000);
  });
});

describe.each(methods)("a request to %s that cannot be decoded", (method) => {
  it.each([
    ["a field that ends beyond the message", [0x0a, 0xff]],
    ["a field number of zero", [0x02, 0x00]],
    ["text that is not UTF-8", [0x0a, 0x01, 0xff]],
  ])("for %s is INVALID_ARGUMENT and never reaches the handler", async (_name, bytes) => {
    await using fake = await serveThrowing(new Error("the handler was reached"));
    const { path } = ModelRegistryServiceDefinition[method];
    await using raw = openRawCall(fake.address, path, { message: Uint8Array.from(bytes) });
    raw.stream.end();
    const { "grpc-status": code, "grpc-message": message } = await raw.trailers;
    expect({ code, message: decodeURI(`${message}`) }).toEqual({
      code: `${status.INVALID_ARGUMENT}`,
      message: "the request cannot be decoded; generate the client from the proto that the service serves",
    });
    expect(fake.logged).toEqual([]);
  });
});

it("a handler that throws at once, without a promise, gives its client a status", async () => {
  await using fake = await serveFake({
    getVersion: () => {
      throw modelNotFound("resnet");
    },
  });
  expect(await failureOf(fake, "getVersion")).toMatchObject({ code: "NOT_FOUND", reason: "MODEL_NOT_FOUND" });
});

it("a request above the size that grpc-js takes is RESOURCE_EXHAUSTED, with the reason", async () => {
  await using fake = await serveFake({ getVersion: async () => versionResponse("1.0.0") });
  const call = getVersion(fake, { model: "x".repeat(5 * 1024 * 1024) });
  expect(await errorOf(call)).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "REQUEST_TOO_LARGE" });
});

/** Every method throws the error. */
async function serveThrowing(error: unknown): Promise<FakeRegistry> {
  return await serveFake({
    getVersion: async () => {
      throw error;
    },
    // biome-ignore lint/correctness/useYield: it only fails.
    listVersions: async function* () {
      throw error;
    },
  });
}

async function failureOf(fake: FakeRegistry, method: (typeof methods)[number]): Promise<RpcError> {
  if (method === "getVersion") return await errorOf(getVersion(fake));
  const { error } = await outcomeOf(listVersions(fake));
  if (error === undefined) throw new Error("the call succeeded");
  return error;
}
