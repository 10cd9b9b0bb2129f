import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";

/** A call on bare HTTP/2, for what no well-behaved client does. */
export interface RawCall extends AsyncDisposable {
  readonly stream: ClientHttp2Stream;
  /** The trailers, wherever they come; rejects when the stream closes without. */
  readonly trailers: Promise<IncomingHttpHeaders>;
}

/** Opens a call and sends the message, if there is one; the stream is left open for sending. */
export function openRawCall(
  address: string,
  path: string,
  { headers = {}, message }: { headers?: Record<string, string>; message?: Uint8Array },
): RawCall {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const { promise: trailers, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>();
  stream.on("response", (received) => "grpc-status" in received && resolve(received));
  stream.on("trailers", resolve);
  stream.on("error", reject);
  stream.on("close", () => reject(new Error("the stream closed without trailers")));
  // A test that looks at nothing but the server's side ignores how the call ends.
  trailers.catch(() => undefined);
  session.on("error", () => undefined);
  if (message !== undefined) stream.write(framed(message));
  return { stream, trailers, [Symbol.asyncDispose]: async () => session.destroy() };
}

/** The message with its length before it, not compressed. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
