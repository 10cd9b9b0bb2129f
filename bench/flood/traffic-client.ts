// A client of normal traffic: every call has a deadline, and responses stay bytes.

import { finished } from "node:stream/promises";
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition as methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  ListVersionsRequestSchema,
  RegisterVersionRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";

/** No call of normal traffic takes as long, unless the service fails. */
const TIMEOUT_MS = 10_000;

/** A connection of its own to a service; every method throws what the service answers but OK. */
export class TrafficClient implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    // Clients of one process share a connection otherwise.
    this.#client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  }

  /** Reads one version and drops it. */
  async getVersion(model: string, version: string): Promise<void> {
    const { path, requestSerialize } = methods.getVersion;
    const request = create(GetVersionRequestSchema, { model, selector: { case: "version", value: version } });
    await this.#callUnary(path, requestSerialize(request));
  }

  /** Registers a version without metadata. */
  async registerVersion(model: string, version: string): Promise<void> {
    const { path, requestSerialize } = methods.registerVersion;
    const request = create(RegisterVersionRequestSchema, { model, number: { case: "version", value: version } });
    await this.#callUnary(path, requestSerialize(request));
  }

  /** Reads a listing to its end and drops it. */
  async listVersions(model: string, limit: number): Promise<void> {
    const { path, requestSerialize } = methods.listVersions;
    const message = requestSerialize(create(ListVersionsRequestSchema, { model, limit }));
    const call = this.#client.makeServerStreamRequest(path, sameBytes, sameBytes, message, options());
    await finished(call.resume());
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #callUnary(path: string, message: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.makeUnaryRequest(path, sameBytes, sameBytes, message, options(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }
}

function options(): { deadline: number } {
  return { deadline: Date.now() + TIMEOUT_MS };
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
