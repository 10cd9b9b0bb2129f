import { randomUUID } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { ListVersionsResponseSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { LEVELS, lineOf } from "../support/call-log.ts";
import { type LoggedService, lineOfCall, startLoggedService } from "../support/logged-service.ts";
import { getVersion } from "../support/raw-session.ts";
import { errorOf } from "../support/rpc-error.ts";
import { SecureClient } from "../support/secure-service.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const methods = ModelRegistryServiceDefinition;
const nameOf = (method: { path: string }) => method.path.slice(1);
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let logged: LoggedService;
let service: ServiceProcess;
let alice: SecureClient;

beforeAll(async () => {
  logged = await startLoggedService();
  ({ service, alice } = logged);
});

afterAll(async () => await logged[Symbol.asyncDispose]());

describe("the line of a call", () => {
  it("is an object of JSON that says what was called, by whom, from where, and how it went", async () => {
    const line = await lineOf(service, () => alice.getExact("m", "1.0.0"));
    expect(line).toEqual({
      level: LEVELS.info,
      time: expect.closeTo(Date.now(), -6),
      pid: service.pid,
      hostname: expect.any(String),
      requestId: expect.stringMatching(uuid),
      method: nameOf(methods.getVersion),
      status: "OK",
      durationMs: expect.any(Number),
      caller: "token:alice",
      peer: expect.stringMatching(/^127\.0\.0\.1 \d+$/),
      msg: "call",
    });
  });

  it("says why a call was refused", async () => {
    const line = await lineOf(service, () => errorOf(alice.getExact("nobody", "1.0.0")));
    expect(line).toMatchObject({ level: LEVELS.info, status: "NOT_FOUND", reason: "MODEL_NOT_FOUND" });
  });

  it("is there for a caller whom the service does not know, without a name", async () => {
    using stranger = new SecureClient(service.address, { authorization: "Bearer wrong" });
    const line = await lineOf(service, () => errorOf(stranger.getExact("m", "1.0.0")));
    expect(line).toMatchObject({ status: "UNAUTHENTICATED", reason: "CREDENTIALS_INVALID", caller: "" });
    expect(service.stderr).not.toContain("Bearer");
  });

  it("says how a registration succeeded", async () => {
    const number = { case: "version", value: "2.0.0" } as const;
    const request = { model: "m", number, requestId: randomUUID() };
    const validated = await lineOf(service, () => alice.register({ ...request, validateOnly: true }));
    const stored = await lineOf(service, () => alice.register(request));
    const repeated = await lineOf(service, () => alice.register(request));
    const refused = await lineOf(service, () => errorOf(alice.registerBare("m", "2.0.0")));
    const method = nameOf(methods.registerVersion);
    expect(validated).toMatchObject({ method, status: "OK", outcome: "validated" });
    expect(stored).toMatchObject({ method, status: "OK", outcome: "stored" });
    expect(repeated).toMatchObject({ method, status: "OK", outcome: "repeated" });
    expect(refused).toMatchObject({ method, status: "ALREADY_EXISTS", reason: "VERSION_ALREADY_EXISTS" });
    expect(refused).not.toHaveProperty("outcome");
  });

  it("counts what a listing streamed", async () => {
    let sizeBytes = 0;
    const line = await lineOf(service, async () => {
      for await (const page of alice.list({ model: "bulky" }))
        sizeBytes += toBinary(ListVersionsResponseSchema, page).length;
    });
    expect(line).toMatchObject({ method: nameOf(methods.listVersions), status: "OK", entries: 4, sizeBytes });
    const models = await lineOf(service, () => Array.fromAsync(alice.listModels({})));
    expect(models).toMatchObject({ method: nameOf(methods.listModels), status: "OK", entries: 2 });
  });

  it.each([
    ["a timeout that is none", { "grpc-timeout": "soon" }, getVersion, "INVALID_ARGUMENT", "UNDECODABLE_REQUEST"],
    ["no time", { "grpc-timeout": "0m" }, getVersion, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"],
    ["no message", {}, Buffer.alloc(0), "UNIMPLEMENTED", "UNSUPPORTED_REQUEST"],
    ["too many messages", {}, Buffer.concat([getVersion, getVersion]), "UNIMPLEMENTED", "UNSUPPORTED_REQUEST"],
    ["a message too large", {}, Buffer.of(0, 0x7f, 0, 0, 0), "RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE"],
  ])("is there for a call with %s, which grpc-js answers by itself", async (_, headers, body, status, reason) => {
    expect(await lineOfCall(service, headers, body)).toMatchObject({ status, reason });
  });
});

describe("the request id", () => {
  it.each(["a", "req-1:2/3", "~".repeat(128)])("is the caller's where it is printable: %s", async (id) => {
    expect(await lineOfCall(service, { "x-request-id": id })).toMatchObject({ requestId: id });
  });

  it.each(["~".repeat(129), "two words", "é", "\u0085", "", "a\tb"])("is a UUID instead of %j", async (id) => {
    expect(await lineOfCall(service, { "x-request-id": id })).toMatchObject({ requestId: expect.stringMatching(uuid) });
  });

  it("cannot forge a line, nor another field of its own", async () => {
    const id = '"},{"level":60,"msg":"call"}\\n';
    const before = service.stderr.split("\n").length;
    expect(await lineOfCall(service, { "x-request-id": id })).toMatchObject({ requestId: id, level: LEVELS.info });
    expect(service.stderr.split("\n").length).toBe(before + 1);
  });
});

describe("the trace id", () => {
  it("is that of the caller's W3C traceparent", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    expect(await lineOfCall(service, { traceparent })).toMatchObject({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736" });
  });

  it.each([
    "no",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  ])("is not there for %s", async (traceparent) => {
    expect(await lineOfCall(service, { traceparent })).not.toHaveProperty("traceId");
  });
});
