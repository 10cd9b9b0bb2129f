import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

function request(model: string, requestId: string, { value = "1.0.0", description = "a" } = {}) {
  return { model, number: { case: "version", value }, metadata: { description }, requestId } as const;
}

describe("RegisterVersion with a request_id", () => {
  it("answers a repetition with the first answer, however often and in whatever case the id is written", async () => {
    const model = uniqueModel();
    const id = randomUUID();
    const first = await service.client.register(request(model, id));
    for (const again of [id, id.toUpperCase()]) {
      expect(await service.client.register(request(model, again))).toEqual(first);
    }
    expect(await service.client.listAll({ model })).toEqual(["1.0.0"]);
  });

  it("gives 32 attempts that arrive at once the same answer, and stores once", async () => {
    const model = uniqueModel();
    const id = randomUUID();
    const clients = Array.from({ length: 32 }, () => new RegistryClient(service.address));
    const answers = await Promise.all(clients.map((client) => client.register(request(model, id))));
    for (const client of clients) client[Symbol.dispose]();
    expect(
      new Set(
        answers.map((answer) => JSON.stringify(answer, (_, value) => (typeof value === "bigint" ? `${value}` : value))),
      ).size,
    ).toBe(1);
    expect(await service.client.listAll({ model })).toEqual(["1.0.0"]);
  });

  it.each([
    ["another version", { value: "1.0.1" }],
    ["other build metadata", { value: "1.0.0+b" }],
    ["other metadata", { description: "b" }],
  ])("refuses the id with %s", async (_, change) => {
    const model = uniqueModel();
    const id = randomUUID();
    await service.client.register(request(model, id));
    expect(await errorOf(service.client.register(request(model, id, change)))).toEqual({
      code: "INVALID_ARGUMENT",
      message:
        `request_id ${id} was used for "${model}" 1.0.0 with other content; ` +
        "send a new UUID for each registration, and the same one only to repeat it",
      reason: "REQUEST_ID_REUSED",
      domain: "stele",
      metadata: { model, request_id: id, existing_version: "1.0.0" },
      violations: ["request_id: was used for a registration of other content"],
      resource: `stele.v1.ModelVersion ${model}@1.0.0`,
      retryDelayMs: undefined,
    });
    expect(await service.client.listAll({ model })).toEqual(["1.0.0"]);
  });

  it("is scoped to the model", async () => {
    const id = randomUUID();
    const models = [uniqueModel(), uniqueModel()];
    for (const model of models) {
      expect(await service.client.register(request(model, id))).toMatchObject({ model });
    }
  });

  it("does not soften ALREADY_EXISTS for another id, although the content is the same", async () => {
    const model = uniqueModel();
    await service.client.register(request(model, randomUUID()));
    expect(await errorOf(service.client.register(request(model, randomUUID())))).toMatchObject({
      reason: "VERSION_ALREADY_EXISTS",
      metadata: { identical: "true" },
    });
  });

  it.each(["1", "7b2f9c1e54d04f4a9d3c0a8f6f1f2f10", "00000000-0000-0000-0000-000000000000", ` ${randomUUID()}`])(
    "refuses %j as an id",
    async (id) => {
      const model = uniqueModel();
      expect(await errorOf(service.client.register(request(model, id)))).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "INVALID_REQUEST",
        violations: [expect.stringMatching(/^request_id: .* is not a UUID that can be used/)],
      });
      expect(await errorOf(service.client.listAll({ model }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
    },
  );
});

describe("RegisterVersion with validate_only", () => {
  it("answers the record as it would be and stores nothing, its request_id neither", async () => {
    const model = uniqueModel();
    const id = randomUUID();
    const valid = await service.client.register({ ...request(model, id), validateOnly: true });
    expect(valid).toMatchObject({ model, version: "1.0.0", registeredBy: "" });
    expect(valid?.registeredAt).toBeUndefined();
    expect(await errorOf(service.client.listAll({ model }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
    const registered = await service.client.register(request(model, id, { value: "2.0.0" }));
    expect(registered?.version).toBe("2.0.0");
  });

  it("has the digest that the registration then has", async () => {
    const model = uniqueModel();
    const valid = await service.client.register({ ...request(model, ""), validateOnly: true });
    const registered = await service.client.register(request(model, ""));
    expect(valid?.digest).toBe(registered?.digest);
  });

  it("refuses what the registration would refuse", async () => {
    const model = uniqueModel();
    await service.client.register(request(model, ""));
    const reasonOf = async (change: object) =>
      (await errorOf(service.client.register({ ...request(model, ""), ...change, validateOnly: true }))).reason;
    expect(await reasonOf({})).toBe("VERSION_ALREADY_EXISTS");
    expect(await reasonOf({ number: { case: "version", value: "v2" } })).toBe("INVALID_REQUEST");
    const dependencies = [{ model, version: "9.9.9" }];
    const next = { number: { case: "version", value: "2.0.0" } };
    expect(await reasonOf({ ...next, metadata: { dependencies } })).toBe("DEPENDENCY_NOT_FOUND");
    expect(await service.client.listAll({ model })).toEqual(["1.0.0"]);
  });
});
