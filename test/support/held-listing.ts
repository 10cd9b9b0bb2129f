import type { ClientHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { ListVersionsRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { framed } from "./raw-call.ts";
import { openSession, openStream, type RawSession } from "./raw-session.ts";
import type { RegistryClient } from "./registry-client.ts";

/** A listing that has begun. */
export interface HeldListing extends RawSession {
  readonly stream: ClientHttp2Stream;
}

/** The request for all versions of a model, its length before it. */
export function listingOf(model: string): Buffer {
  return framed(toBinary(ListVersionsRequestSchema, create(ListVersionsRequestSchema, { model })));
}

/** Registers four versions of a model that are too large to be sent to a client that does not read. */
export async function registerBulk(client: RegistryClient, model: string): Promise<void> {
  const metadata = { attributes: { text: "x".repeat(60_000) } };
  for (let patch = 0; patch < 4; patch += 1) {
    await client.register({ model, number: { case: "version", value: `1.0.${patch}` }, metadata });
  }
}

/** Lists a bulky model and reads no more than the first bytes; disposing of it cuts the connection. */
export async function holdListing(
  address: string,
  model: string,
  headers: Record<string, string> = {},
): Promise<HeldListing> {
  const raw = await openSession(`http://${address}`, { settings: { initialWindowSize: 1000 } });
  const path = ModelRegistryServiceDefinition.listVersions.path;
  const stream = openStream(raw.session, { ":path": path, ...headers });
  stream.end(listingOf(model));
  await new Promise((resolve) => stream.once("response", resolve));
  return { ...raw, stream };
}
