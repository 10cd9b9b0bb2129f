// The OpenTelemetry SDK: metrics for a Prometheus server to fetch, and spans sent by OTLP. Each is loaded only where it is
// asked for; without, what the service measures goes nowhere and costs next to nothing.

import { createNoopMeter, type Meter } from "@opentelemetry/api";
import { CallDurations } from "./call-durations.ts";
import type { Spans } from "./spans.ts";

/** Where telemetry goes. */
export interface TelemetrySettings {
  /** Where metrics can be fetched; undefined: nowhere. */
  readonly metricsListen: { readonly host: string; readonly port: number } | undefined;
  readonly sendsSpans: boolean;
  readonly version: string;
}

/** Where the service tells what it does. */
export interface Telemetry extends AsyncDisposable {
  readonly meter: Meter;
  readonly durations: CallDurations;
  /** undefined: none are sent. */
  readonly spans: Spans | undefined;
}

/** Opens what the settings ask for; rejects with the system's error when the metrics' address is not to be had. */
export async function openTelemetry({ metricsListen, sendsSpans, version }: TelemetrySettings): Promise<Telemetry> {
  await using opened = new AsyncDisposableStack();
  const durations = new CallDurations();
  const metrics =
    metricsListen &&
    opened.use(await (await import("./prometheus.ts")).serveMetrics(metricsListen, { version, durations }));
  const spans = sendsSpans ? opened.use((await import("./spans.ts")).sendSpans(version)) : undefined;
  const running = opened.move();
  return {
    meter: metrics?.meter ?? createNoopMeter(),
    durations,
    spans,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}
