import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Fault, StatusFault } from "./cases.ts";
import { MessageSplitter } from "./message-splitter.ts";
import type { ProxiedConnection } from "./proxied-connection.ts";
import { toTrailers } from "./status-trailers.ts";

type Trailers = Record<string, string>;

/** One call on its way through the proxy, and the fault that it meets there, if any. */
export class ProxiedCall {
  /** The call as its client sees it. */
  readonly #stream: ServerHttp2Stream;
  readonly #connection: ProxiedConnection;
  readonly #fault: Fault | undefined;
  /** The status of the service. */
  #status: Trailers = {};
  #messages = 0;
  /** Whether the client has got all that it will get. */
  #isOver = false;

  constructor(stream: ServerHttp2Stream, connection: ProxiedConnection, fault: Fault | undefined) {
    this.#stream = stream;
    this.#connection = connection;
    this.#fault = fault;
    stream.on("error", () => {});
  }

  /** Does a fault that keeps the call from the service; answers whether it has done so. */
  refuse(): boolean {
    const fault = this.#fault;
    if (fault === "close before the call") this.#connection.close();
    else if (fault === "reset before the call") this.#connection.reset();
    else if (fault === "silence") this.#stream.resume();
    else if (fault === "refuse the stream") this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else if (isHttp(fault)) this.#respondHttp(fault.http);
    else if (isStatus(fault) && fault.afterMessages === undefined && !fault.afterwards) this.#end(toTrailers(fault));
    else return false;
    return true;
  }

  /** Passes the request to the service, and its answer to the client as far as the fault lets it. */
  passOn(call: ClientHttp2Stream): void {
    const splitter = new MessageSplitter();
    call.on("error", () => this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    this.#stream.on("close", () => call.close(constants.NGHTTP2_CANCEL));
    this.#stream.pipe(call);
    call.on("response", (headers) => this.#passHeaders(headers));
    call.on("trailers", (trailers) => {
      this.#status = withoutPseudoHeaders(trailers);
    });
    call.on("data", (chunk: Buffer) => {
      for (const message of splitter.push(chunk)) this.#passMessage(message, call);
    });
    call.on("end", () => this.#conclude());
  }

  #passHeaders(headers: IncomingHttpHeaders): void {
    // A call that fails at once has its status in its headers, and nothing else.
    if (headers["grpc-status"] !== undefined) this.#status = withoutPseudoHeaders(headers);
    else if (!this.#holdsBack) this.#stream.respond({ ...headers }, { waitForTrailers: true });
  }

  #passMessage(message: Buffer, call: ClientHttp2Stream): void {
    if (this.#isOver || this.#holdsBack || !this.#stream.writable) return;
    this.#breakBefore(message);
    if (this.#isOver) return;
    this.#messages += 1;
    if (this.#stream.write(message)) return;
    call.pause();
    this.#stream.once("drain", () => call.resume());
  }

  #breakBefore(next: Buffer): void {
    const fault = this.#fault;
    if (typeof fault !== "object") return;
    if ("closeAfterMessages" in fault && this.#messages === fault.closeAfterMessages) this.#close(Buffer.alloc(0));
    if ("closeWithinMessage" in fault && this.#messages === fault.closeWithinMessage)
      this.#close(next.subarray(0, Math.floor(next.length / 2)));
    if ("freezeAfterMessages" in fault && this.#messages === fault.freezeAfterMessages) this.#freeze();
    if (isStatus(fault) && this.#messages === fault.afterMessages) this.#end(toTrailers(fault));
  }

  #conclude(): void {
    if (this.#isOver || !this.#stream.writable) return;
    if (this.#fault === "lose the answer") this.#connection.reset();
    else if (this.#fault === "lose the status") this.#close(Buffer.alloc(0));
    else if (isStatus(this.#fault) && this.#fault.afterwards) this.#end(toTrailers(this.#fault));
    else this.#end(this.#status);
  }

  /** Whether nothing of the answer may pass before the service has given all of it. */
  get #holdsBack(): boolean {
    return this.#fault === "lose the answer" || (isStatus(this.#fault) && this.#fault.afterwards === true);
  }

  // The client gets what was written so far and this, and then the end of the connection.
  #close(last: Buffer): void {
    this.#isOver = true;
    this.#stream.write(last, () => setImmediate(() => this.#connection.close()));
  }

  #freeze(): void {
    this.#isOver = true;
    this.#stream.write(Buffer.alloc(0), () => setImmediate(() => this.#connection.freeze()));
  }

  #end(trailers: Trailers): void {
    this.#isOver = true;
    if (this.#stream.headersSent) {
      this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(trailers));
      this.#stream.end();
    } else {
      this.#stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
    }
  }

  #respondHttp(status: number): void {
    this.#stream.respond({ ":status": status, "content-type": "text/html" });
    this.#stream.end("<html><body>The upstream server is not available.</body></html>");
  }
}

function isStatus(fault: Fault | undefined): fault is StatusFault {
  return typeof fault === "object" && "status" in fault;
}

function isHttp(fault: Fault | undefined): fault is { http: number } {
  return typeof fault === "object" && "http" in fault;
}

function withoutPseudoHeaders(headers: IncomingHttpHeaders): Trailers {
  const entries = Object.entries(headers).filter(([name]) => !name.startsWith(":"));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
