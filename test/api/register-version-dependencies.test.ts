import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

type Reference = { model: string; version: string; relation?: string };

async function registerWith(model: string, dependencies: Reference[], value = "1.0.0") {
  return await service.client.register({ model, number: { case: "version", value }, metadata: { dependencies } });
}

describe("RegisterVersion with dependencies", () => {
  it("stores a version whose dependencies are registered, whatever their build metadata", async () => {
    const base = uniqueModel("base");
    await service.client.registerBare(base, "1.0.0+linux");
    const dependencies = [{ model: base, version: "1.0.0", relation: "base" }];
    const registered = await registerWith(uniqueModel(), dependencies);
    expect(registered?.metadata?.dependencies).toMatchObject(dependencies);
  });

  it("refuses dependencies that are not registered and names each", async () => {
    const base = uniqueModel("base");
    const model = uniqueModel();
    await service.client.registerBare(base, "1.0.0");
    const missing = [`${base}@1.0.1`, `${model}@0.9.0`];
    const call = registerWith(model, [
      { model: base, version: "1.0.1" },
      { model: base, version: "1.0.0" },
      { model, version: "0.9.0" },
    ]);
    expect(await errorOf(call)).toEqual({
      code: "FAILED_PRECONDITION",
      message:
        `metadata.dependencies names ${missing[0]} and 1 more, not registered here; register dependencies first, ` +
        "or state what lives elsewhere in external_dependencies",
      reason: "DEPENDENCY_NOT_FOUND",
      domain: "stele",
      metadata: { dependency: missing[0], missing: "2" },
      violations: [],
      preconditions: missing,
      resource: undefined,
      retryDelayMs: undefined,
    });
    expect(await errorOf(service.client.listAll({ model }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  });

  it("refuses a version that depends on itself, also under other build metadata", async () => {
    const model = uniqueModel();
    expect(await errorOf(registerWith(model, [{ model, version: "1.0.0+other" }]))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      violations: ["metadata.dependencies[0]: is the version itself; name only earlier versions"],
    });
  });

  it("refuses references that break the grammars", async () => {
    const call = registerWith(uniqueModel(), [
      { model: "Base", version: "v1" },
      { model: "", version: "" },
    ]);
    const { code, violations } = await errorOf(call);
    expect(code).toBe("INVALID_ARGUMENT");
    expect(violations.map((violation) => violation.slice(0, violation.indexOf(": ")))).toEqual([
      "metadata.dependencies[0].model",
      "metadata.dependencies[0].version",
      "metadata.dependencies[1].model",
      "metadata.dependencies[1].version",
    ]);
  });

  it("says that the version is taken before it says that dependencies are missing", async () => {
    const model = uniqueModel();
    await service.client.registerBare(model, "1.0.0");
    expect(await errorOf(registerWith(model, [{ model, version: "0.1.0" }]))).toMatchObject({
      reason: "VERSION_ALREADY_EXISTS",
    });
  });

  it("tells 256 missing dependencies within the size that clients accept", async () => {
    const references = Array.from({ length: 256 }, (_, patch) => ({ model: "a".repeat(200), version: `9.9.${patch}` }));
    const error = await errorOf(registerWith(uniqueModel(), references));
    expect(error).toMatchObject({ reason: "DEPENDENCY_NOT_FOUND", metadata: { missing: "256" } });
    expect(error.preconditions?.length).toBeGreaterThan(1);
  });
});
