import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { callLines, lineOf } from "../support/call-log.ts";
import { freeAddress } from "../support/metrics.ts";
import { getVersion, openSession, openStream, statusOf } from "../support/raw-session.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { TraceCollector, textsOf } from "../support/trace-collector.ts";

const methods = ModelRegistryServiceDefinition;
const nameOf = (method: { path: string }) => method.path.slice(1);
const SERVER = 2;
const UNSET = 0;
const ERROR = 2;
const CALLS = 300;

const resources = new AsyncDisposableStack();
let database: TestDatabase;

beforeAll(async () => {
  database = resources.use(await createTestDatabase());
});

afterAll(async () => await resources.disposeAsync());

async function startTracing(endpoint: string, settings: Record<string, string> = {}): Promise<ServiceProcess> {
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  return await startServiceProcess({ DATABASE_URL: database.url, ...tracing, ...settings });
}

/** Calls GetVersion with these headers. */
async function getWith({ address }: ServiceProcess, headers: Record<string, string>): Promise<void> {
  await using raw = await openSession(`http://${address}`);
  const stream = openStream(raw.session, headers);
  stream.end(getVersion);
  await statusOf(stream);
}

describe("with a collector", () => {
  it("each call is a span of kind SERVER with its method and status", async () => {
    await using collector = new TraceCollector();
    await using service = await startTracing(await collector.listen(), { OTEL_SERVICE_NAME: "stele-of-tests" });
    using client = new RegistryClient(service.address);
    await client.registerBare("traced", "1.0.0");
    await errorOf(client.getExact("traced", "9.9.9"));
    await client.listAll({ model: "traced" });
    await expect.poll(() => collector.spans.length, { timeout: 20_000 }).toBe(3);
    const spans = collector.spans.map((span) => ({ ...span, attributes: textsOf(span) }));
    const common = {
      kind: SERVER,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
      status: { code: UNSET },
    };
    const attributesOf = (method: { path: string }, status: string) => ({
      "rpc.system.name": "grpc",
      "rpc.method": nameOf(method),
      "rpc.status_code": status,
    });
    expect(spans).toMatchObject([
      { ...common, name: nameOf(methods.registerVersion), attributes: attributesOf(methods.registerVersion, "OK") },
      { ...common, name: nameOf(methods.getVersion), attributes: attributesOf(methods.getVersion, "NOT_FOUND") },
      { ...common, name: nameOf(methods.listVersions), attributes: attributesOf(methods.listVersions, "OK") },
    ]);
    for (const { parentSpanId, startTimeUnixNano, endTimeUnixNano } of spans) {
      expect(parentSpanId ?? "").toBe("");
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    }
    expect(new Set(collector.requests)).toEqual(new Set(["POST /v1/traces"]));
    expect(collector.resource).toMatchObject({ "service.name": "stele-of-tests" });
  });

  it("a call goes on the trace of its caller, in the log too", async () => {
    await using collector = new TraceCollector();
    await using service = await startTracing(await collector.listen(), { STELE_LOG_CALLS: "true" });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const parentSpanId = "00f067aa0ba902b7";
    const line = await lineOf(service, () => getWith(service, { traceparent: `00-${traceId}-${parentSpanId}-01` }));
    const own = await lineOf(service, () => getWith(service, {}));
    await service.stop();
    expect(collector.spans).toHaveLength(2);
    expect(collector.spans[0]).toMatchObject({ traceId, parentSpanId });
    expect(line).toMatchObject({ traceId });
    expect(own).toMatchObject({ traceId: collector.spans[1]?.traceId });
  });

  it("what the caller does not sample is not sent, and its trace is in the log all the same", async () => {
    await using collector = new TraceCollector();
    await using service = await startTracing(await collector.listen(), { STELE_LOG_CALLS: "true" });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const line = await lineOf(service, () => getWith(service, { traceparent: `00-${traceId}-00f067aa0ba902b7-00` }));
    await getWith(service, {});
    await service.stop();
    expect(collector.spans).toHaveLength(1);
    expect(line).toMatchObject({ traceId });
    expect(collector.spans[0]?.traceId).not.toBe(traceId);
  });

  it("a fault of the service is a span with an error", async () => {
    await using broken = await createTestDatabase();
    await using collector = new TraceCollector();
    await using service = await startTracing(await collector.listen(), { DATABASE_URL: broken.url });
    await sql`revoke select on model_version from stele_service`.execute(broken.database);
    await getWith(service, {});
    await service.stop();
    expect(collector.spans).toHaveLength(1);
    expect(collector.spans[0]).toMatchObject({ status: { code: ERROR } });
  });

  it("the spans of the last calls are sent before the end", async () => {
    await using collector = new TraceCollector();
    await using service = await startTracing(await collector.listen());
    await getWith(service, {});
    expect(await service.stop()).toBe(0);
    expect(collector.spans).toMatchObject([{ name: nameOf(methods.getVersion) }]);
  });
});

describe.each(["away", "hanging"])("with a collector that is %s", (how) => {
  it("calls are answered, the log has nothing of each, and SIGTERM ends the service in time", async () => {
    await using collector = new TraceCollector({ hangs: true });
    const endpoint = how === "away" ? `http://${await freeAddress()}` : await collector.listen();
    await using service = await startTracing(endpoint, { STELE_SHUTDOWN_GRACE_SECONDS: "5" });
    using client = new RegistryClient(service.address);
    const start = performance.now();
    for (let n = 0; n < CALLS; n += 1) await errorOf(client.getExact("nobody", "1.0.0"));
    expect(performance.now() - start).toBeLessThan(CALLS * 50);
    if (how === "hanging") await expect.poll(() => collector.requests.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const stopping = performance.now();
    expect(await service.stop()).toBe(0);
    expect(performance.now() - stopping).toBeLessThan(5_000);
    expect(service.stderr.split("\n").length).toBeLessThan(10);
  });
});

describe("without OTEL_EXPORTER_OTLP_ENDPOINT", () => {
  it("nothing is sent, whatever else is set", async () => {
    await using collector = new TraceCollector();
    const endpoint = await collector.listen();
    // The exporter alone would read these.
    const kin = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${endpoint}/v1/traces`, OTEL_TRACES_EXPORTER: "otlp" };
    await using service = await startServiceProcess({ DATABASE_URL: database.url, STELE_LOG_CALLS: "true", ...kin });
    const line = await lineOf(service, () => getWith(service, {}));
    expect(line).not.toHaveProperty("traceId");
    expect(await service.stop()).toBe(0);
    expect(callLines(service)).toHaveLength(1);
    expect(collector.requests).toEqual([]);
  });
});
