// What is told of each call: one line of the log, the metrics, and a span. It begins with the headers and ends with the
// status, or with the client's leaving, after which no status is sent.

import { randomUUID } from "node:crypto";
import { type Metadata, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { type Span, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { RPC_METHOD, RPC_STATUS_CODE, RPC_SYSTEM_NAME } from "../telemetry/conventions.ts";
import type { Instruments } from "../telemetry/instruments.ts";
import type { Spans } from "../telemetry/spans.ts";
import { type Answer, reasonOf } from "./status.ts";

/** Where calls are told of. */
export interface ObserverOptions {
  readonly instruments: Instruments;
  /** undefined: none are sent. */
  readonly spans: Spans | undefined;
  readonly log: CallLog;
  /** Whether each call has its line. */
  readonly logsCalls: boolean;
}

/** Where the lines go; a pino logger is one. */
export type CallLog = Readonly<Record<"debug" | "info" | "warn" | "error", (context: object, message: string) => void>>;

const REGISTRATION = ModelRegistryServiceDefinition.registerVersion.path.slice(1);

/** A call from its headers to its end. */
export class ObservedCall {
  readonly #options: ObserverOptions;
  readonly #method: string;
  readonly #call: ServerInterceptingCallInterface;
  readonly #startedAt = performance.now();
  readonly #metadata: Metadata;
  readonly #span: Span | undefined;
  #caller = "";
  #entries = 0;
  #sizeBytes = 0;
  #outcome: string | undefined;
  #answer: Answer | undefined;

  /** Begins with the headers of a call of `/package.Service/Method`. */
  constructor(options: ObserverOptions, call: ServerInterceptingCallInterface, path: string, metadata: Metadata) {
    this.#options = options;
    this.#call = call;
    this.#method = path.slice(1);
    this.#metadata = metadata;
    this.#span = options.spans && this.#startSpan(options.spans);
  }

  /** It is known who calls. */
  calledBy(name: string): void {
    this.#caller = name;
  }

  /** A message of a listing was made. */
  listed(entries: number, sizeBytes: number): void {
    this.#entries += entries;
    this.#sizeBytes += sizeBytes;
    this.#options.instruments.listed(this.#method, entries, sizeBytes);
  }

  /** A registration succeeded, in which way. */
  registered(outcome: string): void {
    this.#outcome = outcome;
  }

  /** The status is sent; the first counts. */
  answered(answer: Answer): void {
    this.#answer ??= answer;
  }

  /** It is over. */
  end(): void {
    const code = this.#answer?.code ?? this.#codeWithoutAnswer();
    const name = status[code] ?? "UNKNOWN";
    const durationMs = performance.now() - this.#startedAt;
    const { instruments, logsCalls } = this.#options;
    instruments.callEnded({ method: this.#method, status: name, durationMs });
    if (this.#method === REGISTRATION) instruments.registered(this.#outcome ?? this.#reason ?? name);
    this.#span?.setAttribute(RPC_STATUS_CODE, name);
    if (isFault(code)) this.#span?.setStatus({ code: SpanStatusCode.ERROR });
    if (logsCalls) this.#log(code, name, durationMs);
    this.#span?.end();
  }

  #startSpan({ tracer, parentIn }: Spans): Span {
    const attributes = { [RPC_SYSTEM_NAME]: "grpc", [RPC_METHOD]: this.#method };
    const parent = parentIn((name) => textIn(this.#metadata, name));
    return tracer.startSpan(this.#method, { kind: SpanKind.SERVER, attributes }, parent);
  }

  #log(code: status, name: string, durationMs: number): void {
    const traceId = this.#span?.isRecording() ? this.#span.spanContext().traceId : traceIdIn(this.#metadata);
    const line = {
      requestId: requestIdIn(this.#metadata) ?? randomUUID(),
      method: this.#method,
      status: name,
      ...(this.#outcome !== undefined && { outcome: this.#outcome }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
      durationMs: Math.round(durationMs * 1000) / 1000,
      caller: this.#caller,
      peer: formatPeer(this.#call.getConnectionInfo()),
      ...(traceId !== undefined && { traceId }),
      ...(this.#sizeBytes > 0 && { entries: this.#entries, sizeBytes: this.#sizeBytes }),
    };
    this.#options.log[levelOf(code, this.#method)](line, "call");
  }

  get #reason(): string | undefined {
    return this.#answer && reasonOf(this.#answer);
  }

  // A client that left, or whose time is up, is sent none.
  #codeWithoutAnswer(): status {
    return Date.now() >= Number(this.#call.getDeadline()) ? status.DEADLINE_EXCEEDED : status.CANCELLED;
  }
}

function formatPeer({ remoteAddress, remotePort }: ReturnType<ServerInterceptingCallInterface["getConnectionInfo"]>) {
  return remoteAddress === undefined ? "unknown" : `${remoteAddress} ${remotePort}`;
}

/** Whether the service failed, not its caller. */
function isFault(code: status): boolean {
  return [status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS].includes(code);
}

function levelOf(code: status, method: string): keyof CallLog {
  if (code === status.INTERNAL || code === status.UNKNOWN || code === status.DATA_LOSS) return "error";
  if (code === status.UNAVAILABLE || code === status.RESOURCE_EXHAUSTED) return "warn";
  // Health, every few seconds, and reflection.
  return method.startsWith("grpc.") ? "debug" : "info";
}

/** What the caller, or a proxy on the way, calls the request; nothing that could forge a line of the log. */
function requestIdIn(metadata: Metadata): string | undefined {
  const id = textIn(metadata, "x-request-id") ?? "";
  return /^[!-~]{1,128}$/.test(id) ? id : undefined;
}

/** The trace that the caller's span belongs to (W3C Trace Context, section 3.2). */
function traceIdIn(metadata: Metadata): string | undefined {
  const parent = textIn(metadata, "traceparent") ?? "";
  return /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.exec(parent)?.[1];
}

function textIn(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}
