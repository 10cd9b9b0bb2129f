import { type Context, ROOT_CONTEXT, type Tracer } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { describeService } from "./resource.ts";

/** Where spans are made. */
export interface Spans {
  readonly tracer: Tracer;
  readonly parentIn: ParentIn;
}

/** The span of the caller (W3C Trace Context) in the headers of a call, by what reads a header. */
export type ParentIn = (readHeader: (name: string) => string | undefined) => Context;

type ReadHeader = Parameters<ParentIn>[0];

const propagator = new W3CTraceContextPropagator();
const carrier = { get: (readHeader: ReadHeader, name: string) => readHeader(name), keys: () => [] };

/** What cannot be sent any more must not hold up the end. */
const FLUSH_PATIENCE_MS = 2_000;

/** Sends spans to where OTEL_EXPORTER_OTLP_ENDPOINT and its kin say, which the exporter reads itself. */
export function sendSpans(version: string): Spans & AsyncDisposable {
  const exporter = new OTLPTraceExporter();
  const provider = new TracerProvider({
    resource: describeService(version),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  return {
    tracer: provider.getTracer("stele"),
    parentIn: (readHeader) => propagator.extract(ROOT_CONTEXT, readHeader, carrier),
    [Symbol.asyncDispose]: async () => {
      const patience = new Promise<void>((resolve) => void setTimeout(resolve, FLUSH_PATIENCE_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), patience]);
    },
  };
}
