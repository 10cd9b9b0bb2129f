// The network between a client and the service, with everything that can go wrong with it: HTTP/2 without TLS on both
// sides, passed on message by message, except for the calls that have a fault waiting.

import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { Fault } from "./cases.ts";
import { ProxiedCall } from "./proxied-call.ts";

/** A client's connection and the one that leads on to the service. */
interface Link {
  readonly socket: Socket;
  readonly upstream: ClientHttp2Session;
}

/** A proxy in front of the service, which breaks what passes through it as it is told. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Http2Server;
  readonly #links = new Map<Http2Session, Link>();
  readonly #target: string;
  #faults: Fault[] = [];
  #calls = 0;

  constructor(target: string) {
    this.#target = target;
    this.#server = createServer();
    const sockets = new Map<number | undefined, Socket>();
    this.#server.prependListener("connection", (socket: Socket) => sockets.set(socket.remotePort, socket));
    this.#server.on("session", (session) => {
      const socket = sockets.get(session.socket.remotePort);
      sockets.delete(session.socket.remotePort);
      if (socket !== undefined) this.#link(session, socket);
    });
    this.#server.on("stream", (stream, headers) => this.#serve(stream, headers));
  }

  /** Starts to listen on any free port; answers host:port. */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  /** Forgets the calls so far and lets the next ones meet these faults, one each. */
  expectCalls(faults: readonly Fault[]): void {
    this.#calls = 0;
    this.#faults = faults.flatMap((fault) => {
      const times = typeof fault === "object" && "times" in fault ? (fault.times ?? 1) : 1;
      return Array.from({ length: times }, () => fault);
    });
  }

  /** How many calls have arrived since. */
  get calls(): number {
    return this.#calls;
  }

  /** The faults that no call has met so far. */
  get unmetFaults(): readonly Fault[] {
    return this.#faults;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#links.values()) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  // A client sees the connection to the service end when it does.
  #link(session: ServerHttp2Session, socket: Socket): void {
    const upstream = connect(`http://${this.#target}`);
    upstream.on("close", () => socket.destroySoon());
    upstream.on("error", () => {});
    session.on("error", () => {});
    session.on("close", () => {
      this.#links.delete(session);
      upstream.destroy();
    });
    this.#links.set(session, { socket, upstream });
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const link = stream.session && this.#links.get(stream.session);
    if (link === undefined) return;
    this.#calls += 1;
    const call = new ProxiedCall(stream, link.socket, this.#faults.shift());
    if (!call.refuse()) call.passOn(link.upstream.request(headers));
  }
}
