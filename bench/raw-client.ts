// A client that costs little beside the service: responses stay bytes, of which only the outermost fields are read.

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition as methods } from "../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
} from "../gen/stele/v1/model_registry_service_pb.ts";

/** A request for a listing of versions. */
export type VersionsRequest = MessageInitShape<typeof ListVersionsRequestSchema>;

/** What is known of a page without decoding it. */
export interface RawPage {
  readonly entries: number;
  readonly nextPageToken: string;
}

/** A connection of its own to a service. */
export class RawClient implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    // Clients of one process share a connection otherwise.
    this.#client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  }

  /** Resolves when the connection stands. */
  async ready(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + 10_000, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** The pages of a listing of versions; leaving the loop early cancels the call. */
  async *listVersions(request: VersionsRequest): AsyncGenerator<RawPage, void, undefined> {
    const { path, requestSerialize } = methods.listVersions;
    const message = create(ListVersionsRequestSchema, request);
    yield* readPages(this.#client.makeServerStreamRequest(path, requestSerialize, sameBytes, message));
  }

  /** The pages of the listing of models whose names begin with the prefix. */
  async *listModels(prefix: string): AsyncGenerator<RawPage, void, undefined> {
    const { path, requestSerialize } = methods.listModels;
    const message = create(ListModelsRequestSchema, { prefix });
    yield* readPages(this.#client.makeServerStreamRequest(path, requestSerialize, sameBytes, message));
  }

  /** Reads one version and drops it. */
  async getVersion(model: string, version: string): Promise<void> {
    const { path, requestSerialize } = methods.getVersion;
    const message = create(GetVersionRequestSchema, { model, selector: { case: "version", value: version } });
    await new Promise<void>((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, sameBytes, message, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Reads a listing to its end and answers how many entries it had. */
export async function countEntries(pages: AsyncIterable<RawPage>): Promise<number> {
  let count = 0;
  for await (const { entries } of pages) count += entries;
  return count;
}

async function* readPages(call: ClientReadableStream<Buffer>): AsyncGenerator<RawPage, void, undefined> {
  try {
    for await (const bytes of call) yield parsePage(bytes);
  } finally {
    call.cancel();
  }
}

const ENTRIES_TAG = 0x0a;

/** Both list responses have their entries in field 1 and the token in field 2, all of them with a length. */
function parsePage(bytes: Buffer): RawPage {
  let entries = 0;
  let nextPageToken = "";
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at];
    const { value: length, end: start } = readVarint(bytes, at + 1);
    if (tag === ENTRIES_TAG) entries += 1;
    else nextPageToken = bytes.toString("latin1", start, start + length);
    at = start + length;
  }
  return { entries, nextPageToken };
}

function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, shift = 0; ; at += 1, shift += 7) {
    const byte = bytes.readUInt8(at);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value, end: at + 1 };
  }
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
