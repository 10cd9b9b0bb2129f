import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import { HealthCheckRequestSchema } from "../../gen/health/v1/health_pb.ts";
import {
  Level,
  ListModelsResponseSchema,
  ListVersionsResponseSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { holdListing, registerBulk } from "../support/held-listing.ts";
import { fetchMetrics, freeAddress, samplesIn, valuesOf } from "../support/metrics.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { openSession, openStream } from "../support/raw-session.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const patience = { timeout: 20_000 };

const resources = new AsyncDisposableStack();
let database: TestDatabase;

beforeAll(async () => {
  database = resources.use(await createTestDatabase());
});

afterAll(async () => await resources.disposeAsync());

interface Measured extends AsyncDisposable {
  readonly service: ServiceProcess;
  readonly client: RegistryClient;
  readonly metricsAddress: string;
  /** The values of a metric by those of labels. */
  readonly read: (name: string, ...labels: string[]) => Promise<Record<string, number>>;
}

async function startMeasured(settings: Record<string, string> = {}): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const metricsAddress = await freeAddress();
  const service = stack.use(
    await startServiceProcess({ DATABASE_URL: database.url, STELE_METRICS_LISTEN: metricsAddress, ...settings }),
  );
  const client = stack.use(new RegistryClient(service.address));
  const read: Measured["read"] = async (name, ...labels) =>
    valuesOf(samplesIn(await fetchMetrics(metricsAddress)), name, ...labels);
  const moved = stack.move();
  return { service, client, metricsAddress, read, [Symbol.asyncDispose]: async () => await moved.disposeAsync() };
}

describe("/metrics", () => {
  it("counts every call by method and status, and how long it took", async () => {
    await using measured = await startMeasured();
    const { client, read } = measured;
    await client.registerBare("counted", "1.0.0");
    for (let n = 0; n < 3; n += 1) await client.getExact("counted", "1.0.0");
    await errorOf(client.getExact("counted", "9.9.9"));
    await errorOf(client.getExact("counted", "nonsense"));
    await client.listAll({ model: "counted" });
    await errorOf(client.listAll({ model: "nobody" }));
    await Array.fromAsync(client.listModels({ prefix: "counted" }));
    await checkHealth(measured.service.address);
    const labels = ["rpc_method", "rpc_status_code"];
    const counts = {
      "stele.v1.ModelRegistryService/RegisterVersion OK": 1,
      "stele.v1.ModelRegistryService/GetVersion OK": 3,
      "stele.v1.ModelRegistryService/GetVersion NOT_FOUND": 1,
      "stele.v1.ModelRegistryService/GetVersion INVALID_ARGUMENT": 1,
      "stele.v1.ModelRegistryService/ListVersions OK": 1,
      "stele.v1.ModelRegistryService/ListVersions NOT_FOUND": 1,
      "stele.v1.ModelRegistryService/ListModels OK": 1,
      "grpc.health.v1.Health/Check OK": 1,
    };
    await expect.poll(() => read("rpc_server_call_duration_count", ...labels), patience).toEqual(counts);
    const sums = await read("rpc_server_call_duration_sum", ...labels);
    expect(Object.keys(sums).toSorted()).toEqual(Object.keys(counts).toSorted());
    for (const seconds of Object.values(sums)) expect(seconds).toSatisfy((sum: number) => sum > 0 && sum < 60);
    const buckets = await read("rpc_server_call_duration_bucket", ...labels, "le");
    for (const [call, count] of Object.entries(counts)) expect(buckets[`${call} +Inf`]).toBe(count);
  });

  it("counts registrations by what came of them", async () => {
    await using measured = await startMeasured();
    const { client, read } = measured;
    const number = { case: "version", value: "1.0.0" } as const;
    const request = { model: "outcomes", number, requestId: randomUUID() };
    const increment = { case: "increment", value: { level: Level.PATCH, within: "7.x" } } as const;
    const unknown = { dependencies: [{ model: "outcomes", version: "3.0.0" }] };
    await client.register({ ...request, validateOnly: true });
    await client.register(request);
    await client.register(request);
    await client.register(request);
    await errorOf(client.registerBare("outcomes", "1.0.0"));
    await errorOf(client.registerBare("outcomes", "v1"));
    await errorOf(client.register({ ...request, metadata: { description: "other" } }));
    await errorOf(client.register({ model: "outcomes", number: increment }));
    await errorOf(client.register({ model: "outcomes", number: { ...number, value: "2.0.0" }, metadata: unknown }));
    await expect
      .poll(() => read("stele_registrations_total", "outcome"), patience)
      .toEqual({
        validated: 1,
        stored: 1,
        repeated: 2,
        VERSION_ALREADY_EXISTS: 1,
        INVALID_REQUEST: 1,
        REQUEST_ID_REUSED: 1,
        NO_BASE_VERSION: 1,
        DEPENDENCY_NOT_FOUND: 1,
      });
  });

  it("adds up what listings streamed", async () => {
    await using measured = await startMeasured();
    const { client, read } = measured;
    for (let patch = 0; patch < 12; patch += 1) await client.registerBare("streamed", `1.0.${patch}`);
    const versions = await Array.fromAsync(client.list({ model: "streamed", pageSize: 5 }));
    const models = await Array.fromAsync(client.listModels({ prefix: "streamed" }));
    const size = (sizes: number[]) => sizes.reduce((sum, each) => sum + each, 0);
    await expect
      .poll(() => read("stele_listing_entries_total", "rpc_method"), patience)
      .toEqual({
        "stele.v1.ModelRegistryService/ListVersions": 12,
        "stele.v1.ModelRegistryService/ListModels": 1,
      });
    expect(await read("stele_listing_size_total", "rpc_method")).toEqual({
      "stele.v1.ModelRegistryService/ListVersions": size(
        versions.map((page) => toBinary(ListVersionsResponseSchema, page).length),
      ),
      "stele.v1.ModelRegistryService/ListModels": size(
        models.map((page) => toBinary(ListModelsResponseSchema, page).length),
      ),
    });
  });

  it("shows the calls in flight, and forgets those that are over", async () => {
    await using measured = await startMeasured();
    const { service, client, read } = measured;
    const active = async () => await read("stele_calls_active", "kind");
    await registerBulk(client, "held");
    await expect.poll(active, patience).toEqual({ calls: 0, listings: 0, health: 0, reflection: 0 });
    await using held = await holdListing(service.address, "held");
    openStream(held.session);
    await expect.poll(active, patience).toEqual({ calls: 1, listings: 1, health: 0, reflection: 0 });
    await held[Symbol.asyncDispose]();
    await expect.poll(active, patience).toEqual({ calls: 0, listings: 0, health: 0, reflection: 0 });
  });

  it.each([{ pools: ["primary"] }, { pools: ["primary", "replica"] }])(
    "shows the connections of $pools, and that they answer",
    async ({ pools }) => {
      const replica = pools.includes("replica") ? { DATABASE_READ_URL: database.url } : {};
      await using measured = await startMeasured({ ...replica, STELE_DATABASE_CONNECTIONS: "5" });
      const { client, read } = measured;
      const byPool = (value: number) => Object.fromEntries(pools.map((pool) => [pool, value]));
      const POOL = "db_client_connection_pool_name";
      await errorOf(client.getExact("anything", "1.0.0"));
      await expect.poll(() => read("stele_database_reachable", POOL), patience).toEqual(byPool(1));
      expect(await read("db_client_connection_max", POOL)).toEqual(byPool(5));
      expect(await read("db_client_connection_pending_requests", POOL)).toEqual(byPool(0));
      const counts = await read("db_client_connection_count", POOL, "db_client_connection_state");
      expect(Object.keys(counts).toSorted()).toEqual(pools.flatMap((pool) => [`${pool} idle`, `${pool} used`]));
      expect(counts).toMatchObject({ "primary idle": 1, "primary used": 0 });
    },
  );

  it("tells that the database is away, what failed of it, and that it is back", async () => {
    await using proxy = new PostgresProxy(database.connection);
    const url = await proxy.listen();
    await using measured = await startMeasured({ DATABASE_URL: url });
    const { client, read } = measured;
    const reachable = async () => await read("stele_database_reachable", "db_client_connection_pool_name");
    await expect.poll(reachable, patience).toEqual({ primary: 1 });
    expect(await read("stele_database_errors_total")).toEqual({});
    await proxy[Symbol.asyncDispose]();
    await errorOf(client.getExact("anything", "1.0.0"));
    await expect.poll(reachable, patience).toEqual({ primary: 0 });
    const errors = await read("stele_database_errors_total", "db_client_connection_pool_name", "error_type");
    expect(Object.keys(errors)).not.toEqual([]);
    for (const error of Object.keys(errors)) expect(error).toMatch(/^primary [0-9A-Z_]{5,20}$/);
    await using back = new PostgresProxy(database.connection);
    await back.listen(Number(new URL(url).port));
    await expect.poll(reachable, patience).toEqual({ primary: 1 });
  });

  it("shows what the process takes", async () => {
    await using measured = await startMeasured();
    const { read } = measured;
    const { "": bytes = 0 } = await read("process_memory_usage");
    expect(bytes).toSatisfy((size: number) => size > 20e6 && size < 2e9);
    const time = await read("process_cpu_time_total", "cpu_mode");
    expect(time).toEqual({ user: expect.any(Number), system: expect.any(Number) });
    expect(time["user"]).toBeGreaterThan(0);
  });

  it("has no label whose values grow with what is called", async () => {
    await using measured = await startMeasured();
    const { client, metricsAddress } = measured;
    await client.registerBare("telltale-model", "1.2.3-telltale");
    await client.getExact("telltale-model", "1.2.3-telltale");
    await errorOf(client.getExact("telltale-nobody", "1.2.3-telltale"));
    await client.listAll({ model: "telltale-model" });
    await using raw = await openSession(`http://${measured.service.address}`);
    const stream = openStream(raw.session, { ":path": "/telltale.Service/Method", "x-request-id": "telltale" });
    await once(stream.end(), "close");
    const text = await fetchMetrics(metricsAddress);
    expect(text).not.toContain("telltale");
    const names = new Set(samplesIn(text).flatMap(({ labels }) => Object.keys(labels)));
    expect([...names].toSorted()).toEqual([
      "cpu_mode",
      "db_client_connection_pool_name",
      "db_client_connection_state",
      "error_type",
      "kind",
      "le",
      "outcome",
      "rpc_method",
      "rpc_status_code",
      "rpc_system_name",
      "service_name",
      "service_version",
      "telemetry_sdk_language",
      "telemetry_sdk_name",
      "telemetry_sdk_version",
    ]);
  });
});

describe("the metrics' address", () => {
  it("answers 404 to everything but GET /metrics", async () => {
    await using measured = await startMeasured();
    const at = (path: string) => `http://${measured.metricsAddress}${path}`;
    expect((await fetch(at("/metrics?x=1"))).status).toBe(200);
    for (const path of ["/", "/metrics/", "/metricsx", "/health", "//metrics"]) {
      const response = await fetch(at(path));
      expect([response.status, await response.text()]).toEqual([404, "metrics are at /metrics\n"]);
    }
    expect((await fetch(at("/metrics"), { method: "POST", body: "x" })).status).toBe(404);
  });

  it("is one sentence and exit code 1 when another program listens there", async () => {
    const taken = createServer();
    const address = await freeAddress();
    await once(taken.listen(Number(address.split(":")[1]), "127.0.0.1"), "listening");
    const start = startServiceProcess({ DATABASE_URL: database.url, STELE_METRICS_LISTEN: address });
    await expect(start).rejects.toThrow(
      `(exit code 1, signal null)\nstdout: \nstderr: stele: cannot listen on ${address}; ` +
        "another program listens there; stop it, or set STELE_METRICS_LISTEN to another port\n",
    );
    taken.close();
  });

  it("does not keep the process from ending while somebody reads there", async () => {
    await using measured = await startMeasured();
    const [host, port] = measured.metricsAddress.split(":");
    const reader = connect(Number(port), host).on("error", () => undefined);
    await once(reader, "connect");
    reader.write("GET /metrics HTTP/1.1\r\n");
    expect(await measured.service.stop()).toBe(0);
    reader.destroy();
  });
});

async function checkHealth(address: string): Promise<void> {
  const health = new HealthClient(address, credentials.createInsecure());
  await new Promise((resolve) => health.check(create(HealthCheckRequestSchema), resolve));
  health.close();
}
