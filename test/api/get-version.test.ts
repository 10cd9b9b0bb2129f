import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

describe("GetVersion", () => {
  it("finds a version with or without its build metadata", async () => {
    const model = uniqueModel();
    const registered = await service.client.registerBare(model, "1.2.3+exp.sha.5114f85");
    for (const version of ["1.2.3", "1.2.3+exp.sha.5114f85", "1.2.3+another"]) {
      expect(await service.client.getExact(model, version)).toEqual(registered);
    }
  });

  it("does not take a prerelease for its release, nor the other way round", async () => {
    const model = uniqueModel();
    await service.client.registerBare(model, "1.0.0-rc.1");
    expect(await errorOf(service.client.getExact(model, "1.0.0"))).toMatchObject({ reason: "VERSION_NOT_FOUND" });
  });

  it("tells an unknown version of a known model", async () => {
    const model = uniqueModel();
    await service.client.registerBare(model, "1.0.0");
    expect(await errorOf(service.client.getExact(model, "2.0.0"))).toEqual({
      code: "NOT_FOUND",
      message: `model "${model}" has no version 2.0.0; ListVersions shows those that it has`,
      reason: "VERSION_NOT_FOUND",
      domain: "stele",
      metadata: { model, version: "2.0.0" },
      violations: [],
      resource: `stele.v1.ModelVersion ${model}@2.0.0`,
      retryDelayMs: undefined,
    });
  });

  it("tells an unknown model", async () => {
    const model = uniqueModel();
    expect(await errorOf(service.client.getExact(model, "1.0.0"))).toEqual({
      code: "NOT_FOUND",
      message: `model "${model}" has no versions; check the name and that you may read it, or register its first version`,
      reason: "MODEL_NOT_FOUND",
      domain: "stele",
      metadata: { model },
      violations: [],
      resource: `stele.v1.Model ${model}`,
      retryDelayMs: undefined,
    });
  });

  it("refuses a request without a selector, or with an empty one: nothing means latest", async () => {
    const model = uniqueModel();
    await service.client.registerBare(model, "1.0.0");
    const required = "version: is required; give a semantic version, such as 1.4.0";
    const none = await errorOf(service.client.get({ model }));
    const empty = await errorOf(service.client.getExact(model, ""));
    expect([none, empty]).toMatchObject([
      { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", violations: [`${required}, or a range`] },
      { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", violations: [required] },
    ]);
  });

  it("reports every violated field at once", async () => {
    expect(await errorOf(service.client.getExact("Image", "v1.0.0"))).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: [expect.stringMatching(/^model: /), expect.stringMatching(/^version: "v1\.0\.0"/)],
    });
  });

  it("refuses a rule about prereleases for an exact version, which it is not about", async () => {
    const request = {
      model: "m",
      selector: { case: "version", value: "1.0.0" },
      prereleases: Prereleases.INCLUDE,
    } as const;
    expect(await errorOf(service.client.get(request))).toMatchObject({
      code: "INVALID_ARGUMENT",
      violations: ["prereleases: is about a range; leave it out to get exactly one version"],
    });
  });
});
