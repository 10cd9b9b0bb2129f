import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { Meter } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { describeService } from "./resource.ts";

/** Metrics that can be fetched. */
export interface MetricsServer extends AsyncDisposable {
  readonly meter: Meter;
  readonly port: number;
}

/** Serves /metrics; rejects with the system's error when the address is not to be had. */
export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  version: string,
): Promise<MetricsServer> {
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const provider = new MeterProvider({ resource: describeService(version), readers: [exporter] });
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
