import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ListVersionsRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";
import type { Fault } from "./cases.ts";
import { FaultProxy } from "./fault-proxy.ts";

let service: TestService;
let proxy: FaultProxy;
let client: RegistryClient;
let address: string;
let model: string;

beforeAll(async () => {
  service = await useService();
  proxy = new FaultProxy(service.address);
  address = await proxy.listen();
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

// Each test has a connection of its own, because faults end it.
beforeEach(() => {
  client = new RegistryClient(address);
  model = uniqueModel("proxied");
  proxy.expectCalls([]);
});

afterEach(() => {
  client[Symbol.dispose]();
});

describe("a fault proxy", () => {
  it("passes answers, failures with their details and streams on as they are", async () => {
    const registered = await client.registerBare(model, "1.0.0");
    await client.registerBare(model, "1.0.1");
    expect(await client.getExact(model, "1.0.0")).toEqual(registered);
    const { reason, metadata } = await errorOf(client.registerBare(model, "1.0.0"));
    expect([reason, metadata["existing_digest"]]).toEqual(["VERSION_ALREADY_EXISTS", registered?.digest]);
    expect(await client.listAll({ model, pageSize: 1 })).toEqual(["1.0.1", "1.0.0"]);
    expect(proxy.calls).toBe(5);
  });

  it.each<{ fault: Fault; code: string; stored: boolean }>([
    { fault: "close before the call", code: "UNAVAILABLE", stored: false },
    { fault: "reset before the call", code: "UNAVAILABLE", stored: false },
    { fault: "lose the answer", code: "UNAVAILABLE", stored: true },
    { fault: { closeWithinMessage: 0 }, code: "UNAVAILABLE", stored: true },
    { fault: { http: 503 }, code: "UNAVAILABLE", stored: false },
    { fault: { resetStream: "INTERNAL_ERROR" }, code: "INTERNAL", stored: false },
    { fault: { endAfterMessages: 1 }, code: "INTERNAL", stored: true },
    { fault: { status: "ABORTED" }, code: "ABORTED", stored: false },
    { fault: { status: "UNAVAILABLE", afterwards: true }, code: "UNAVAILABLE", stored: true },
  ])("lets a registration meet $fault once", async ({ fault, code, stored }) => {
    proxy.expectCalls([fault]);
    expect((await errorOf(client.registerBare(model, "1.0.0"))).code).toBe(code);
    expect(proxy.unmetFaults).toEqual([]);
    const found = await service.client.listAll({ model }).catch(() => []);
    expect(found).toEqual(stored ? ["1.0.0"] : []);
    expect(proxy.calls).toBe(1);
  });

  it.each<{ fault: Fault; messages: number; code: string }>([
    { fault: { closeAfterMessages: 0 }, messages: 0, code: "UNAVAILABLE" },
    { fault: { closeAfterMessages: 2 }, messages: 2, code: "UNAVAILABLE" },
    { fault: { closeWithinMessage: 2 }, messages: 2, code: "UNAVAILABLE" },
    { fault: { closeAfterMessages: 3 }, messages: 3, code: "UNAVAILABLE" },
    { fault: { endAfterMessages: 2 }, messages: 2, code: "INTERNAL" },
    { fault: { resetStream: "CANCEL", afterMessages: 2 }, messages: 2, code: "CANCELLED" },
    { fault: "lose the status", messages: 3, code: "UNAVAILABLE" },
    { fault: { status: "RESOURCE_EXHAUSTED", afterMessages: 1 }, messages: 1, code: "RESOURCE_EXHAUSTED" },
  ])("lets a listing meet $fault", async ({ fault, messages, code }) => {
    for (const version of ["1.0.0", "1.0.1", "1.0.2"]) await service.client.registerBare(model, version);
    proxy.expectCalls([fault]);
    const received: string[] = [];
    const listing = async () => {
      for await (const page of client.list({ model, pageSize: 1 })) received.push(...versionsOf(page));
    };
    expect((await errorOf(listing())).code).toBe(code);
    expect(received).toEqual(["1.0.2", "1.0.1", "1.0.0"].slice(0, messages));
  });

  it("ends a listing well after so many messages when it is told so", async () => {
    for (const version of ["1.0.0", "1.0.1"]) await client.registerBare(model, version);
    proxy.expectCalls([{ status: "OK", afterMessages: 1 }]);
    expect(await client.listAll({ model, pageSize: 1 })).toEqual(["1.0.1"]);
  });

  it("gives the details of a status that it makes", async () => {
    const fault = { status: "UNAVAILABLE", reason: "SHUTTING_DOWN", message: "über – 100 %", retryDelayMs: 1500 };
    proxy.expectCalls([fault]);
    expect(await errorOf(client.getExact(model, "1.0.0"))).toMatchObject({
      code: "UNAVAILABLE",
      reason: "SHUTTING_DOWN",
      message: "über – 100 %",
      retryDelayMs: 1500,
    });
  });

  it("counts the calls that have not ended", async () => {
    await client.registerBare(model, "1.0.0");
    proxy.expectCalls(["silence"]);
    const call = client.raw.listVersions(create(ListVersionsRequestSchema, { model })).on("error", () => {});
    await expect.poll(() => proxy.openCalls).toBe(1);
    call.cancel();
    await expect.poll(() => proxy.openCalls).toBe(0);
  });

  it("tells which faults no call has met", async () => {
    proxy.expectCalls([{ status: "UNAVAILABLE", times: 2 }]);
    await client.getExact(model, "1.0.0").catch(() => undefined);
    expect(proxy.unmetFaults).toHaveLength(1);
  });
});
