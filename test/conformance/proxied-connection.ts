import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";

/** A client's connection that leads through the proxy to the service. */
export class ProxiedConnection {
  readonly #client: Socket;
  /** Where the client's bytes go, and where its answers come from: HTTP/2 is spoken at the other end. */
  readonly #relay: Duplex;
  readonly #http2: Duplex;
  /** The connection to the service that belongs to it. */
  readonly upstream: ClientHttp2Session;

  constructor(
    client: Socket,
    target: string,
    serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  ) {
    this.#client = client;
    [this.#relay, this.#http2] = duplexPair();
    this.upstream = connect(`http://${target}`);
    const session = performServerHandshake(this.#http2);
    for (const each of [client, this.#relay, this.#http2, this.upstream, session]) each.on("error", () => {});
    client.setNoDelay().pipe(this.#relay).pipe(client);
    session.on("stream", serve);
    client.on("close", () => {
      session.destroy();
      this.upstream.destroy();
    });
    // A client sees the connection to the service end when it does.
    this.upstream.on("close", () => this.close());
  }

  /** Closes it by a FIN, after what was written. */
  close(): void {
    this.#http2.end();
  }

  /** Closes it by a RST; what was written may be lost. */
  reset(): void {
    this.#client.resetAndDestroy();
  }

  /** Lets nothing pass any more in either direction, and tells nobody. */
  freeze(): void {
    this.#client.unpipe(this.#relay);
    this.#relay.unpipe(this.#client);
  }

  /** Ends it at once. */
  destroy(): void {
    this.#client.destroy();
  }
}
