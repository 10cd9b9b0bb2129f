import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ModelRegistryServiceClient } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  type GetVersionResponse,
  ListModelsRequestSchema,
  type ListModelsResponse,
  ListVersionsRequestSchema,
  type ListVersionsResponse,
  RegisterVersionRequestSchema,
  type RegisterVersionResponse,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelVersion } from "../../gen/stele/v1/model_version_pb.ts";

/** The generated client with promises, for tests; requests may be partial. */
export class RegistryClient implements Disposable {
  /** The generated client itself, for calls that need its options. */
  readonly raw: ModelRegistryServiceClient;

  constructor(address: string) {
    this.raw = new ModelRegistryServiceClient(address, credentials.createInsecure(), {
      // Clients of one process share a connection otherwise.
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  async register(request: MessageInitShape<typeof RegisterVersionRequestSchema>): Promise<ModelVersion | undefined> {
    const message = create(RegisterVersionRequestSchema, request);
    const response = await unary<RegisterVersionResponse>((done) => this.raw.registerVersion(message, done));
    return response.modelVersion;
  }

  /** Registers a version without metadata. */
  async registerBare(model: string, version: string): Promise<ModelVersion | undefined> {
    return await this.register({ model, number: { case: "version", value: version } });
  }

  async get(request: MessageInitShape<typeof GetVersionRequestSchema>): Promise<ModelVersion | undefined> {
    const message = create(GetVersionRequestSchema, request);
    const response = await unary<GetVersionResponse>((done) => this.raw.getVersion(message, done));
    return response.modelVersion;
  }

  async getExact(model: string, version: string): Promise<ModelVersion | undefined> {
    return await this.get({ model, selector: { case: "version", value: version } });
  }

  /** The messages of a listing; leaving the loop early cancels the call. */
  async *list(request: MessageInitShape<typeof ListVersionsRequestSchema>): AsyncGenerator<ListVersionsResponse> {
    const call = this.raw.listVersions(create(ListVersionsRequestSchema, request));
    try {
      for await (const message of call) yield message;
    } finally {
      call.cancel();
    }
  }

  /** The messages of a listing of models; leaving the loop early cancels the call. */
  async *listModels(request: MessageInitShape<typeof ListModelsRequestSchema>): AsyncGenerator<ListModelsResponse> {
    const call = this.raw.listModels(create(ListModelsRequestSchema, request));
    try {
      for await (const message of call) yield message;
    } finally {
      call.cancel();
    }
  }

  /** The versions of a whole listing. */
  async listAll(request: MessageInitShape<typeof ListVersionsRequestSchema>): Promise<string[]> {
    const pages = await Array.fromAsync(this.list(request));
    return pages.flatMap(versionsOf);
  }

  [Symbol.dispose](): void {
    this.raw.close();
  }
}

/** The version texts of one message. */
export function versionsOf(page: ListVersionsResponse): string[] {
  return page.versions.map(({ modelVersion }) => modelVersion?.version ?? "");
}

function unary<Response>(call: (done: (error: ServiceError | null, response?: Response) => void) => void) {
  return new Promise<Response>((resolve, reject) => {
    call((error, response) => {
      if (error !== null) reject(error);
      else if (response !== undefined) resolve(response);
    });
  });
}
