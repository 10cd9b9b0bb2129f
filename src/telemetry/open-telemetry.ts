// The OpenTelemetry SDK: metrics for a Prometheus server to fetch, and spans sent by OTLP where an endpoint is set. Without
// either, what the service measures goes nowhere and costs next to nothing.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createNoopMeter, type Meter, ProxyTracerProvider, type Tracer } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";

/** Where telemetry goes. */
export interface TelemetrySettings {
  /** Where metrics can be fetched; undefined: nowhere. */
  readonly metricsListen: { readonly host: string; readonly port: number } | undefined;
  /** Whether spans are sent; where to, the exporter reads from OTEL_EXPORTER_OTLP_ENDPOINT and its kin itself. */
  readonly sendsSpans: boolean;
  readonly version: string;
}

/** Where the service tells what it does. */
export interface Telemetry extends AsyncDisposable {
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** The port where metrics can be fetched. */
  readonly metricsPort: number | undefined;
}

const FLUSH_PATIENCE_MS = 2_000;

/** Opens what the settings ask for; rejects with the system's error when the metrics' address is not to be had. */
export async function openTelemetry({ metricsListen, sendsSpans, version }: TelemetrySettings): Promise<Telemetry> {
  const resource = defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_NAME]: process.env["OTEL_SERVICE_NAME"] || "stele",
      [ATTR_SERVICE_VERSION]: version,
    }),
  );
  await using opened = new AsyncDisposableStack();
  const metrics = metricsListen && opened.use(await serveMetrics(metricsListen, resource));
  const spans = sendsSpans
    ? new TracerProvider({ resource, spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })] })
    : undefined;
  // What cannot be sent any more must not hold up the end.
  opened.defer(async () => {
    const patience = new Promise<void>((resolve) => void setTimeout(resolve, FLUSH_PATIENCE_MS).unref());
    await Promise.race([spans?.shutdown().catch(() => undefined), patience]);
  });
  const running = opened.move();
  return {
    meter: metrics?.meter ?? createNoopMeter(),
    tracer: (spans ?? new ProxyTracerProvider()).getTracer("stele", version),
    metricsPort: metrics?.port,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

interface MetricsServer extends AsyncDisposable {
  readonly meter: Meter;
  readonly port: number;
}

async function serveMetrics(
  { host, port }: { host: string; port: number },
  resource: ReturnType<typeof resourceFromAttributes>,
): Promise<MetricsServer> {
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const provider = new MeterProvider({ resource, readers: [exporter] });
  const server = createServer((request, response) => {
    if (request.method === "GET" && request.url?.split("?")[0] === "/metrics") {
      exporter.getMetricsRequestHandler(request, response);
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("metrics are at /metrics\n");
    }
  });
  await once(server.listen(port, host), "listening");
  return {
    meter: provider.getMeter("stele"),
    port: portOf(server),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await provider.shutdown();
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return address === null || typeof address === "string" ? 0 : address.port;
}
