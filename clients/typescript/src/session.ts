import {
  type ClientHttp2Stream,
  type ClientSessionOptions,
  constants,
  type SecureClientSessionOptions,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";

const pingIntervalMs = 30_000;
const pingTimeoutMs = 10_000;
const connectTimeoutMs = 10_000;

/**
 * The HTTP/2 connection of a client. It is opened with the first call, and again with the next call after it broke;
 * it is pinged while calls are under way. connect-node's manager does most of it.
 */
export class Session extends Http2SessionManager {
  readonly #options: SocketOptions;
  #sockets = new AbortController();

  constructor(url: string, options: ClientSessionOptions | SecureClientSessionOptions) {
    const withSignal: SocketOptions = { ...options };
    super(url, { pingIntervalMs, pingTimeoutMs }, withSignal);
    this.#options = withSignal;
    this.#options.signal = this.#sockets.signal;
  }

  /** A session that is destroyed leaves a socket behind that is still connecting, so that the socket is ended too. */
  override abort(reason?: Error): void {
    super.abort(reason);
    this.#sockets.abort();
    this.#sockets = new AbortController();
    this.#options.signal = this.#sockets.signal;
  }

  override async request(...request: Parameters<Http2SessionManager["request"]>): Promise<ClientHttp2Stream> {
    const timer = setTimeout(() => this.#giveUpConnecting(), connectTimeoutMs).unref();
    try {
      const stream = await super.request(...request);
      guard(stream);
      return stream;
    } finally {
      clearTimeout(timer);
    }
  }

  #giveUpConnecting(): void {
    if (this.state() !== "connecting") return;
    this.abort(new ConnectError(`no connection to ${this.authority} within 10 s`, Code.Unavailable));
  }
}

/** What node:http2 hands on to its sockets, too. */
type SocketOptions = (ClientSessionOptions | SecureClientSessionOptions) & { signal?: AbortSignal };

/** Makes sure that every end of a stream and of its session is noticed, and noticed by the call alone. */
function guard(stream: ClientHttp2Stream): void {
  // The manager lets go of a destroyed session before that emits its error, which would then end the process.
  const { session } = stream;
  if (session?.listeners("error").includes(ignore) === false) session.on("error", ignore);
  // A stream that is reset with NO_ERROR before the headers emits nothing but this.
  let answered = false;
  stream.once("response", () => {
    answered = true;
  });
  stream.once("close", () => {
    const error = new ConnectError("the stream was closed without an answer", Code.Unavailable);
    if (!answered && stream.rstCode === constants.NGHTTP2_NO_ERROR) stream.emit("error", error);
  });
}

function ignore(): void {}
