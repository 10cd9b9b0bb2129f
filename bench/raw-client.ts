// A client that costs little beside the service: responses stay bytes, of which only the outermost fields are counted.

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition as methods } from "../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
} from "../gen/stele/v1/model_registry_service_pb.ts";
import { countEntries } from "./list-response.ts";

/** A request for a listing of versions. */
export type VersionsRequest = MessageInitShape<typeof ListVersionsRequestSchema>;

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

  /** How many entries each page of a listing of versions has; leaving the loop early cancels the call. */
  async *listVersions(request: VersionsRequest): AsyncGenerator<number, void, undefined> {
    const { path, requestSerialize } = methods.listVersions;
    const message = create(ListVersionsRequestSchema, request);
    yield* readPages(this.#client.makeServerStreamRequest(path, requestSerialize, sameBytes, message));
  }

  /** How many entries each page of the listing of models has whose names begin with the prefix. */
  async *listModels(prefix: string): AsyncGenerator<number, void, undefined> {
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
export async function readAll(pages: AsyncIterable<number>): Promise<number> {
  let count = 0;
  for await (const entries of pages) count += entries;
  return count;
}

async function* readPages(call: ClientReadableStream<Buffer>): AsyncGenerator<number, void, undefined> {
  try {
    for await (const bytes of call) yield countEntries(bytes);
  } finally {
    call.cancel();
  }
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
