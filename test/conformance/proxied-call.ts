import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Fault, ResetFault, StatusFault } from "./cases.ts";
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
    else if (isHttp(fault)) this.#respondHttp(fault.http);
    else if (isReset(fault) && fault.afterMessages === undefined) this.#reset(fault.resetStream);
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
    this.#breakAt(message);
    if (this.#isOver) return;
    this.#messages += 1;
    if (this.#stream.write(message)) return;
    call.pause();
    this.#stream.once("drain", () => call.resume());
  }

  // Does what has to be done after so many messages, of which `next` is the one that follows.
  #breakAt(next: Buffer = Buffer.alloc(0)): void {
    const fault = this.#fault;
    const isDue = (messages: number | undefined) => messages === this.#messages;
    const half = next.subarray(0, Math.floor(next.length / 2));
    if (typeof fault !== "object") return;
    if ("closeAfterMessages" in fault && isDue(fault.closeAfterMessages)) this.#close();
    if ("closeWithinMessage" in fault && isDue(fault.closeWithinMessage)) this.#close(half);
    if ("endAfterMessages" in fault && isDue(fault.endAfterMessages)) this.#end({});
    if ("endWithinMessage" in fault && isDue(fault.endWithinMessage)) this.#end({}, half);
    if ("silenceAfterMessages" in fault && isDue(fault.silenceAfterMessages)) this.#isOver = true;
    if ("freezeAfterMessages" in fault && isDue(fault.freezeAfterMessages)) this.#freeze();
    if (isReset(fault) && isDue(fault.afterMessages)) this.#reset(fault.resetStream);
    if (isStatus(fault) && isDue(fault.afterMessages)) this.#end(toTrailers(fault));
  }

  #conclude(): void {
    if (!this.#isOver) this.#breakAt();
    if (this.#isOver || !this.#stream.writable) return;
    if (this.#fault === "lose the answer") this.#connection.reset();
    else if (this.#fault === "lose the status") this.#close();
    else if (isStatus(this.#fault) && this.#fault.afterwards) this.#end(toTrailers(this.#fault));
    else this.#end(this.#status);
  }

  /** Whether nothing of the answer may pass before the service has given all of it. */
  get #holdsBack(): boolean {
    return this.#fault === "lose the answer" || (isStatus(this.#fault) && this.#fault.afterwards === true);
  }

  // The client gets what was written so far, and then the end of the connection.
  #close(last: Buffer = Buffer.alloc(0)): void {
    this.#afterWriting(last, () => this.#connection.close());
  }

  #freeze(): void {
    this.#afterWriting(Buffer.alloc(0), () => this.#connection.freeze());
  }

  #reset(code: string): void {
    const number = Object.entries(constants).find(([name]) => name === `NGHTTP2_${code}`)?.[1];
    if (typeof number !== "number") throw new Error(`${code} is no error code of HTTP/2`);
    if (this.#stream.headersSent) this.#afterWriting(Buffer.alloc(0), () => this.#stream.close(number));
    else this.#stream.close(number);
  }

  #afterWriting(last: Buffer, act: () => void): void {
    this.#isOver = true;
    this.#stream.write(last, () => setImmediate(act));
  }

  #end(trailers: Trailers, last: Buffer = Buffer.alloc(0)): void {
    this.#isOver = true;
    if (this.#stream.headersSent) {
      this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(trailers));
      this.#stream.end(last);
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

function isReset(fault: Fault | undefined): fault is ResetFault {
  return typeof fault === "object" && "resetStream" in fault;
}

function isHttp(fault: Fault | undefined): fault is { http: number } {
  return typeof fault === "object" && "http" in fault;
}

function withoutPseudoHeaders(headers: IncomingHttpHeaders): Trailers {
  const entries = Object.entries(headers).filter(([name]) => !name.startsWith(":"));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
