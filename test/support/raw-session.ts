import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { promisify } from "node:util";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";

/** A connection of bare HTTP/2, for what no well-behaved client does; disposing of it cuts it. */
export interface RawSession extends AsyncDisposable {
  readonly session: ClientHttp2Session;
}

/** Connects to a URL, and resolves when the service has said its settings. */
export async function openSession(url: string, options: SecureClientSessionOptions = {}): Promise<RawSession> {
  const session = connect(url, options);
  await once(session, "remoteSettings");
  session.on("error", () => undefined);
  return { session, [Symbol.asyncDispose]: async () => session.destroy() };
}

/** Opens a call, by default of GetVersion, which sends no message unless the test does; nobody minds how it ends. */
export function openStream(session: ClientHttp2Session, headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": ModelRegistryServiceDefinition.getVersion.path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  return stream.on("error", () => undefined);
}

/** The headers with the status of a call, wherever they come; rejects when it ends without. */
export async function statusOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>();
  stream.on("response", (headers) => "grpc-status" in headers && resolve(headers));
  stream.on("trailers", resolve);
  stream.on("error", reject);
  stream.on("close", () => reject(new Error("the stream closed without a status")));
  return await promise;
}

/** A message of GetVersion for version 1.0.0 of the model m, its length before it. */
export const getVersion = Buffer.from([0, 0, 0, 0, 10, 0x0a, 1, 0x6d, 0x12, 5, ...Buffer.from("1.0.0")]);

/** The grpc-status of a whole call of GetVersion: 5 (NOT_FOUND) of a service that is empty and answers. */
export async function statusOver(session: ClientHttp2Session): Promise<string | undefined> {
  const stream = openStream(session);
  stream.end(getVersion);
  const { "grpc-status": status } = await statusOf(stream);
  return status?.toString();
}

/** Resolves when the service has read everything that was sent before. */
export async function roundTrip(session: ClientHttp2Session): Promise<void> {
  await promisify((done: (error: Error | null) => void) => void session.ping(done))();
}
