import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Level, type RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { policyFile } from "../support/access-files.ts";
import { everyCall } from "../support/every-call.ts";
import { errorOf } from "../support/rpc-error.ts";
import { uniqueModel } from "../support/test-service.ts";
import { type GuardedService, startGuarded } from "../support/token-callers.ts";

type Registration = Omit<MessageInitShape<typeof RegisterVersionRequestSchema>, "model" | "$typeName">;

let guarded: GuardedService;

beforeAll(async () => {
  guarded = await startGuarded(
    ["admin", "stranger", "reader", "registrar", "both"],
    policyFile({
      "token:admin": { reads: ["*"], registers: ["*"] },
      "token:reader": { reads: ["open*"] },
      "token:registrar": { registers: ["work*"] },
      "token:both": { reads: ["open*"], registers: ["open*", "work*"] },
    }),
  );
});

afterAll(async () => await guarded[Symbol.asyncDispose]());

/** The error of somebody who may not do that, whole. */
function denied(message: string, metadata: Record<string, string>) {
  return {
    code: "PERMISSION_DENIED",
    message,
    reason: "PERMISSION_DENIED",
    domain: "stele",
    metadata,
    violations: [],
    resource: undefined,
    retryDelayMs: undefined,
  };
}

function readingDenied(caller: string) {
  const message = `"${caller}" may not read any model; ask for the role reader in the policy of the service`;
  return denied(message, { caller, role: "reader" });
}

function registeringDenied(caller: string, model: string) {
  const message =
    `"${caller}" may not register versions of "${model}"; ` +
    "ask for the role registrar on it in the policy of the service";
  return denied(message, { caller, role: "registrar", model });
}

const version = { case: "version", value: "1.0.0" } as const;
const increment = { case: "increment", value: { level: Level.MINOR } } as const;

describe("a caller without a role", () => {
  it.each(everyCall)("is denied $rpc", async ({ rpc, make }) => {
    const model = uniqueModel();
    const expected =
      rpc === "RegisterVersion" ? registeringDenied("token:stranger", model) : readingDenied("token:stranger");
    expect(await errorOf(make(guarded.as("stranger"), model))).toEqual(expected);
  });

  it("is told first what is wrong with the request", async () => {
    const calls = everyCall.map(async ({ make }) => await errorOf(make(guarded.as("stranger"), "NO MODEL")));
    for (const error of await Promise.all(calls)) expect(error.reason).toBe("INVALID_REQUEST");
  });
});

describe("a reader", () => {
  it("reads the models of the role", async () => {
    const model = uniqueModel("open");
    await guarded.as("admin").registerBare(model, "1.0.0");
    const reader = guarded.as("reader");
    expect((await reader.getExact(model, "1.0.0"))?.version).toBe("1.0.0");
    expect((await reader.get({ model, selector: { case: "range", value: "*" } }))?.version).toBe("1.0.0");
    expect(await reader.listAll({ model })).toEqual(["1.0.0"]);
    const pages = await Array.fromAsync(reader.listModels({ prefix: model }));
    expect(pages.flatMap(({ models }) => models.map(({ name }) => name))).toEqual([model]);
  });

  it.each<[string, Registration]>([
    ["an explicit version", { number: version }],
    ["an increment", { number: increment }],
    ["what is only validated", { number: version, validateOnly: true }],
    ["an increment that is only validated", { number: increment, validateOnly: true }],
    ["a request with an id", { number: version, requestId: randomUUID() }],
  ])("registers nothing: %s", async (_what, registration) => {
    const model = uniqueModel("open");
    expect(await errorOf(guarded.as("reader").register({ model, ...registration }))).toEqual(
      registeringDenied("token:reader", model),
    );
    expect(await errorOf(guarded.as("admin").listAll({ model }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  });
});

describe("a registrar", () => {
  it("registers on the models of the role, and reads not even that", async () => {
    const model = uniqueModel("work");
    const registrar = guarded.as("registrar");
    expect(await registrar.registerBare(model, "1.0.0")).toMatchObject({ model, registeredBy: "token:registrar" });
    expect((await registrar.register({ model, number: increment }))?.version).toBe("1.1.0");
    expect((await registrar.register({ model, number: increment, validateOnly: true }))?.version).toBe("1.2.0");
    for (const { make } of everyCall.slice(1)) {
      expect(await errorOf(make(registrar, model))).toEqual(readingDenied("token:registrar"));
    }
    expect(await guarded.as("admin").listAll({ model })).toEqual(["1.1.0", "1.0.0"]);
  });

  it("registers on no other model", async () => {
    for (const model of [uniqueModel("open"), "wor", "wor-k"]) {
      expect(await errorOf(guarded.as("registrar").registerBare(model, "1.0.0"))).toEqual(
        registeringDenied("token:registrar", model),
      );
    }
  });

  it("does not find what it registered, when it reads other models", async () => {
    const model = uniqueModel("work");
    await guarded.as("both").registerBare(model, "1.0.0");
    for (const { rpc, make } of everyCall.slice(1)) {
      if (rpc === "ListModels") expect(await make(guarded.as("both"), model)).toEqual([]);
      else expect(await errorOf(make(guarded.as("both"), model))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
    }
  });
});

describe.each(["registrar", "both"])("a conflict that %s has on a model that they may not read", (name) => {
  it.each<[string, string, Registration]>([
    ["with the same content", "1.0.0", { number: version }],
    ["with other content", "1.0.0", { number: version, metadata: { description: "other" } }],
    ["with other build metadata", "1.0.0+other", { number: { case: "version", value: "1.0.0+other" } }],
    ["that is only validated", "1.0.0", { number: version, validateOnly: true }],
    ["of a request with an id", "1.0.0", { number: version, requestId: randomUUID() }],
  ])("tells no more than that the number is taken: %s", async (_what, number, registration) => {
    const model = uniqueModel("work");
    await guarded.as("admin").registerBare(model, "1.0.0");
    expect(await errorOf(guarded.as(name).register({ model, ...registration }))).toEqual({
      code: "ALREADY_EXISTS",
      message:
        `version ${number} of model "${model}" is already registered; ` +
        "versions never change, register the next number instead",
      reason: "VERSION_ALREADY_EXISTS",
      domain: "stele",
      metadata: { model, version: number },
      violations: [],
      resource: `stele.v1.ModelVersion ${model}@${number}`,
      retryDelayMs: undefined,
    });
  });

  it.each<[string, Registration]>([
    ["with other content", { number: version, metadata: { description: "other" } }],
    ["with another number", { number: { case: "version", value: "2.0.0" } }],
    ["with another rule", { number: { case: "increment", value: { level: Level.MINOR, within: "^7" } } }],
    ["that is only validated", { number: { case: "version", value: "2.0.0" }, validateOnly: true }],
  ])("of a request id does not tell of which version: %s", async (_what, registration) => {
    const [model, requestId] = [uniqueModel("work"), randomUUID()];
    await guarded.as("admin").register({ model, number: version, requestId });
    expect(await errorOf(guarded.as(name).register({ model, requestId, ...registration }))).toEqual({
      code: "INVALID_ARGUMENT",
      message:
        `request_id ${requestId} was used for "${model}" with other content; ` +
        "send a new UUID for each registration, and the same one only to repeat it",
      reason: "REQUEST_ID_REUSED",
      domain: "stele",
      metadata: { model, request_id: requestId },
      violations: ["request_id: was used for a registration of other content"],
      resource: `stele.v1.Model ${model}`,
      retryDelayMs: undefined,
    });
  });

  it.each<[string, Registration]>([
    ["an explicit version", { number: version, metadata: { description: "mine" } }],
    ["an increment", { number: increment, metadata: { description: "mine" } }],
  ])("is none when they repeat their own request: %s", async (_what, registration) => {
    const request = { model: uniqueModel("work"), requestId: randomUUID(), ...registration };
    const first = await guarded.as(name).register(request);
    expect(await guarded.as(name).register(request)).toEqual(first);
    expect(first?.registeredBy).toBe(`token:${name}`);
  });
});

describe("a conflict on a model that the caller may read", () => {
  it("tells everything", async () => {
    const [model, requestId] = [uniqueModel("open"), randomUUID()];
    const { as } = guarded;
    const existing = await as("admin").register({ model, number: version, requestId });
    expect(await errorOf(as("both").registerBare(model, "1.0.0"))).toMatchObject({
      reason: "VERSION_ALREADY_EXISTS",
      metadata: { existing_version: "1.0.0", existing_digest: existing?.digest, identical: "true" },
    });
    const reused = as("both").register({ model, requestId, number: { case: "version", value: "2.0.0" } });
    expect(await errorOf(reused)).toMatchObject({
      reason: "REQUEST_ID_REUSED",
      metadata: { model, request_id: requestId, existing_version: "1.0.0" },
    });
  });
});
