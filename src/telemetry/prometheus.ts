import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type Attributes, type HrTime, type Meter, ValueType } from "@opentelemetry/api";
import { timeInputToHrTime } from "@opentelemetry/core";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import {
  AggregationTemporality,
  DataPointType,
  type HistogramMetricData,
  MeterProvider,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import type { CallDurations, DurationSeries } from "./call-durations.ts";
import { ERROR_TYPE, RPC_METHOD, RPC_SERVER_CALL_DURATION, RPC_STATUS_CODE, RPC_SYSTEM_NAME } from "./conventions.ts";
import { describeService } from "./resource.ts";

/** Metrics that can be fetched. */
export interface MetricsServer extends AsyncDisposable {
  readonly meter: Meter;
  readonly port: number;
}

/** Serves /metrics; rejects with the system's error when the address is not to be had. */
export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  { version, durations }: { readonly version: string; readonly durations: CallDurations },
): Promise<MetricsServer> {
  const resource = describeService(version);
  const metricProducers = [producerOf(durations, resource)];
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true, metricProducers });
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

/** Hands the durations of calls to the exporter, beside what the SDK has. */
function producerOf(durations: CallDurations, resource: ReturnType<typeof describeService>): MetricProducer {
  return {
    collect: async () => {
      const scopeMetrics = [{ scope: { name: "stele" }, metrics: [toHistogram(durations)] }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
}

function toHistogram({ boundaries, startedAt, series }: CallDurations): HistogramMetricData {
  const time = { startTime: timeInputToHrTime(startedAt), endTime: timeInputToHrTime(new Date()) };
  return {
    descriptor: {
      name: RPC_SERVER_CALL_DURATION,
      description: "How long calls took until their status was sent.",
      unit: "s",
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: series.map((each) => toDataPoint(each, boundaries, time)),
  };
}

function toDataPoint(
  { method, status, counts, count, sum }: DurationSeries,
  boundaries: readonly number[],
  time: { startTime: HrTime; endTime: HrTime },
): HistogramMetricData["dataPoints"][number] {
  const attributes: Attributes = {
    [RPC_SYSTEM_NAME]: "grpc",
    [RPC_METHOD]: method,
    [RPC_STATUS_CODE]: status,
    ...(status !== "OK" && { [ERROR_TYPE]: status }),
  };
  return { ...time, attributes, value: { buckets: { boundaries: [...boundaries], counts: [...counts] }, count, sum } };
}

function portOf(server: Server): number {
  const address = server.address();
  return address === null || typeof address === "string" ? 0 : address.port;
}
