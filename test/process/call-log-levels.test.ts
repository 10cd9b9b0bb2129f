import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import { HealthCheckRequestSchema } from "../../gen/health/v1/health_pb.ts";
import { callLines, LEVELS, lineOf } from "../support/call-log.ts";
import { holdListing } from "../support/held-listing.ts";
import { type LoggedService, startLoggedService, startLogging } from "../support/logged-service.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { openSession, openStream } from "../support/raw-session.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { createTestDatabase } from "../support/test-database.ts";

let logged: LoggedService;
let service: ServiceProcess;

beforeAll(async () => {
  logged = await startLoggedService();
  ({ service } = logged);
});

afterAll(async () => await logged[Symbol.asyncDispose]());

describe("the level", () => {
  it("is debug for health and reflection", async () => {
    const health = new HealthClient(service.address, credentials.createInsecure());
    const line = await lineOf(
      service,
      () => new Promise((resolve) => health.check(create(HealthCheckRequestSchema), resolve)),
    );
    health.close();
    expect(line).toMatchObject({
      level: LEVELS.debug,
      method: "grpc.health.v1.Health/Check",
      status: "OK",
      caller: "",
    });
    await using raw = await openSession(`http://${service.address}`);
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const reflection = await lineOf(service, async () => void openStream(raw.session, { ":path": path }).end());
    expect(reflection).toMatchObject({ level: LEVELS.debug, method: path.slice(1) });
  });

  it("is warn for what could be too much: RESOURCE_EXHAUSTED", async () => {
    await using small = await startLogging(logged.database.url, { STELE_MAX_LISTINGS: "1" });
    using client = new RegistryClient(small.address);
    await using _ = await holdListing(small.address, "bulky");
    const line = await lineOf(small, () => errorOf(client.listAll({ model: "bulky" })));
    expect(line).toMatchObject({ level: LEVELS.warn, status: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_CALLS" });
  });

  it("is warn for what is away: UNAVAILABLE", async () => {
    const proxy = new PostgresProxy(logged.database.connection);
    await using cut = await startLogging(await proxy.listen());
    using client = new RegistryClient(cut.address);
    await proxy[Symbol.asyncDispose]();
    const line = await lineOf(cut, () => errorOf(client.getExact("m", "1.0.0")));
    expect(line).toMatchObject({ level: LEVELS.warn, status: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE" });
  });

  it("is error for a fault of the service: INTERNAL", async () => {
    await using broken = await createTestDatabase();
    await using failing = await startLogging(broken.url);
    using client = new RegistryClient(failing.address);
    await sql`revoke select on model_version from stele_service`.execute(broken.database);
    const line = await lineOf(failing, () => errorOf(client.getExact("m", "1.0.0")));
    expect(line).toMatchObject({ level: LEVELS.error, status: "INTERNAL", reason: "INTERNAL" });
  });
});

describe("the log of calls", () => {
  it("is silent with STELE_LOG_CALLS=false", async () => {
    await using silent = await startLogging(logged.database.url, {
      STELE_LOG_CALLS: "false",
      STELE_LOG_LEVEL: "trace",
    });
    using client = new RegistryClient(silent.address);
    await client.getExact("m", "1.0.0");
    await errorOf(client.getExact("m", "nonsense"));
    expect(await silent.stop()).toBe(0);
    expect(callLines(silent)).toEqual([]);
  });

  it("is one line for a person too with STELE_LOG_FORMAT=pretty", async () => {
    await using pretty = await startLogging(logged.database.url, { STELE_LOG_FORMAT: "pretty" });
    using client = new RegistryClient(pretty.address);
    await client.getExact("m", "1.0.0");
    await pretty.stop();
    const lines = pretty.stderr.split("\n").filter((line) => line.includes("GetVersion"));
    expect(lines).toEqual([expect.stringMatching(/INFO.*call.*stele\.v1\.ModelRegistryService\/GetVersion.*OK/)]);
    expect(() => JSON.parse(lines[0] ?? "")).toThrow(SyntaxError);
  });
});
