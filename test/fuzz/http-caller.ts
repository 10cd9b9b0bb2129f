import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import type { HttpCall } from "./input.ts";
import type { Outcome } from "./outcome.ts";

const TIMEOUT_MS = 10_000;
const settings = { initialWindowSize: 1024 * 1024, enablePush: false };

/** Sends calls on one connection at a time; a connection that the server closes is replaced by the next call. */
export class HttpCaller implements Disposable {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;
  #tornDown = 0;

  constructor(address: string) {
    this.#address = address;
  }

  /** How many connections the server has torn down. */
  get tornDown(): number {
    return this.#tornDown;
  }

  /** Never rejects, and takes little more than 10 s; throws at once where Node refuses to send the headers. */
  send({ headers, body }: HttpCall): Promise<Outcome> {
    const session = this.#session ?? this.#connect();
    const stream = session.request(headers.flat(), { endStream: false });
    const outcome = outcomeOf(stream, {
      isTornDown: () => this.#session !== session,
      onBroken: () => {
        this.#forget(session);
        session.destroy();
      },
    });
    stream.end(body);
    return outcome;
  }

  [Symbol.dispose](): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connect(): ClientHttp2Session {
    // Node's own limits are just below what a server takes; at that of memory it resets streams whose answers it cannot keep.
    const limits = { maxSendHeaderBlockLength: 1024 * 1024, maxSessionMemory: Number.MAX_SAFE_INTEGER };
    const session = connect(`http://${this.#address}`, { settings, ...limits });
    const forget = () => this.#forget(session);
    session.on("error", forget).on("goaway", forget).on("close", forget);
    this.#session = session;
    return session;
  }

  /** Calls under way still end on it, new ones get another. */
  #forget(session: ClientHttp2Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#tornDown += 1;
  }
}

interface Watcher {
  readonly isTornDown: () => boolean;
  /** The server sent what cannot be read; Node leaves the connection open, and every call on it fails. */
  readonly onBroken: () => void;
}

function outcomeOf(stream: ClientHttp2Stream, { isTornDown, onBroken }: Watcher): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let answer: Outcome | undefined;
  let failure = "";
  const note = (headers: IncomingHttpHeaders) => {
    answer = readAnswer(headers) ?? answer;
  };
  const timer = setTimeout(() => {
    resolve({ kind: "hang" });
    stream.close(constants.NGHTTP2_CANCEL);
  }, TIMEOUT_MS);
  stream.on("response", note).on("trailers", note).resume();
  stream.on("end", () => stream.writableFinished || stream.close(constants.NGHTTP2_CANCEL));
  stream.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code ?? "";
  });
  stream.on("close", () => {
    clearTimeout(timer);
    if (failure === "ERR_HTTP2_ERROR") onBroken();
    resolve(answer ?? withoutAnswer(stream.rstCode ?? 0, { failure, isTornDown: isTornDown() }));
  });
  return promise;
}

function readAnswer(headers: IncomingHttpHeaders): Outcome | undefined {
  const code = headers["grpc-status"];
  if (code !== undefined) {
    const message = String(headers["grpc-message"] ?? "");
    const details = String(headers["grpc-status-details-bin"] ?? "");
    return { kind: "status", code: Number(code), message, sizeBytes: message.length + details.length };
  }
  const status = Number(headers[":status"] ?? 200);
  return status === 200 ? undefined : { kind: "http", status };
}

function withoutAnswer(code: number, { failure, isTornDown }: { failure: string; isTornDown: boolean }): Outcome {
  if (failure === "ECONNREFUSED") return { kind: "unreachable" };
  if (failure === "ERR_HTTP2_ERROR") return { kind: "broken" };
  // Node tells a stream that the server reset from one that went with its connection by this error.
  if (isTornDown || (failure !== "" && failure !== "ERR_HTTP2_STREAM_ERROR")) return { kind: "torn down" };
  return code === constants.NGHTTP2_NO_ERROR ? { kind: "no status" } : { kind: "reset", code };
}
