import { once } from "node:events";
import { createServer, type Server } from "node:http";

/** A span as OTLP/HTTP brings it in JSON. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  readonly status: { readonly code: number };
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: Pick<Span, "attributes">;
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** A collector of OTLP/HTTP in this process. */
export class TraceCollector implements AsyncDisposable {
  /** The method and path of every request. */
  readonly requests: string[] = [];
  readonly spans: Span[] = [];
  /** What the spans are of, of the last request. */
  resource: Readonly<Record<string, string | undefined>> = {};
  readonly #server: Server;

  /** One that hangs takes every request and answers none. */
  constructor({ hangs = false } = {}) {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      if (hangs) return;
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        this.#take(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  /** Begins to listen and answers what OTEL_EXPORTER_OTLP_ENDPOINT is. */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #take({ resourceSpans }: ExportRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.resource = textsOf(resource);
      this.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
  }
}

/** Attributes that are texts, by their keys. */
export function textsOf({ attributes }: Pick<Span, "attributes">): Record<string, string | undefined> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}
