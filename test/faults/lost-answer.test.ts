import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Level } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { uniqueModel } from "../support/test-service.ts";

let stack: AsyncDisposableStack;
let proxy: PostgresProxy;
let client: RegistryClient;
let test: TestDatabase;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  test = stack.use(await createTestDatabase());
  proxy = stack.use(new PostgresProxy(test.connection));
  // Without prepared statements a request is one packet and its answer another.
  const config = readConfig({
    STELE_LISTEN: "127.0.0.1:0",
    DATABASE_URL: await proxy.listen(),
    STELE_PREPARED_STATEMENTS: "false",
  });
  const service = stack.use(await startService(config, pino({ level: "silent" })));
  client = stack.use(new RegistryClient(service.address));
});

afterEach(async () => await stack.disposeAsync());

const requestId = "7b2f9c1e-54d0-4f4a-9d3c-0a8f6f1f2f10";

describe.each(["before the request", "after the answer"] as const)("a connection cut %s of an INSERT", (cut) => {
  it.each([
    ["without a request id", {}],
    ["with a request id", { requestId }],
  ])("leaves the answer true: stored, by this very call (%s)", async (_, extra) => {
    const model = uniqueModel();
    await client.registerBare(model, "0.1.0");
    proxy.cutNext(cut);
    const registered = await client.register({ model, number: { case: "version", value: "1.0.0" }, ...extra });
    expect(proxy.cuts).toBe(1);
    expect(registered).toEqual(await client.getExact(model, "1.0.0"));
    expect(await client.listAll({ model })).toEqual(["1.0.0", "0.1.0"]);
  });

  it.each([
    ["without a request id", {}],
    ["with a request id", { requestId }],
  ])("leaves an increment with one number (%s)", async (_, extra) => {
    const model = uniqueModel();
    await client.registerBare(model, "0.1.0");
    proxy.cutNext(cut);
    const number = { case: "increment", value: { level: Level.MINOR } } as const;
    const registered = await client.register({ model, number, ...extra });
    expect(proxy.cuts).toBe(1);
    expect(registered?.version).toBe("0.2.0");
    expect(await client.listAll({ model })).toEqual(["0.2.0", "0.1.0"]);
  });

  it("is honestly UNKNOWN for an increment without request_id while the database stays away", async () => {
    const model = uniqueModel();
    await client.registerBare(model, "0.1.0");
    proxy.cutNext(cut, { thenRefuse: true });
    const number = { case: "increment", value: { level: Level.MINOR } } as const;
    expect(await errorOf(client.register({ model, number }))).toMatchObject({
      code: "UNKNOWN",
      reason: "OUTCOME_UNKNOWN",
      metadata: { model, version: "0.2.0" },
    });
    proxy.heal();
    const stored = cut === "after the answer" ? ["0.2.0", "0.1.0"] : ["0.1.0"];
    expect(await client.listAll({ model })).toEqual(stored);
  });

  it("still tells a version that somebody else has registered", async () => {
    const model = uniqueModel();
    const first = await client.registerBare(model, "1.0.0");
    proxy.cutNext(cut);
    expect(await errorOf(client.registerBare(model, "1.0.0"))).toMatchObject({
      reason: "VERSION_ALREADY_EXISTS",
      metadata: { existing_digest: first?.digest, identical: "true" },
    });
    expect(proxy.cuts).toBe(1);
  });

  it("is UNAVAILABLE while the database stays away, and repeating the call afterwards is safe", async () => {
    const model = uniqueModel();
    await client.registerBare(model, "0.1.0");
    proxy.cutNext(cut, { thenRefuse: true });
    const request = { model, number: { case: "version", value: "1.0.0" }, requestId } as const;
    expect(await errorOf(client.register(request))).toMatchObject({
      code: "UNAVAILABLE",
      reason: "DATABASE_UNAVAILABLE",
      retryDelayMs: 1000,
    });
    proxy.heal();
    const registered = await client.register(request);
    expect(registered).toEqual(await client.getExact(model, "1.0.0"));
    expect(await client.register(request)).toEqual(registered);
    expect(await client.listAll({ model })).toEqual(["1.0.0", "0.1.0"]);
  });
});
