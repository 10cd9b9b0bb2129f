import { promisify } from "node:util";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Server,
  ServerCredentials,
  type ServiceError,
} from "@grpc/grpc-js";
import { createNoopMeter } from "@opentelemetry/api";
import {
  ModelRegistryServiceClient,
  ModelRegistryServiceDefinition,
} from "../../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  type GetVersionResponse,
  GetVersionResponseSchema,
  ListVersionsRequestSchema,
  type ListVersionsResponse,
  ListVersionsResponseSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { anybody } from "../../src/domain/caller.ts";
import { addService, type Implementation } from "../../src/grpc/adapter.ts";
import { createGate } from "../../src/grpc/call-gate.ts";
import { CallTracker } from "../../src/grpc/call-tracker.ts";
import { CallDurations } from "../../src/telemetry/call-durations.ts";
import { Instruments } from "../../src/telemetry/instruments.ts";
import { type RpcError, readError } from "./rpc-error.ts";

type Handlers = Implementation<typeof ModelRegistryServiceDefinition>;

/** The registry's service on the real adapter, with handlers that a test makes up. */
export interface FakeRegistry extends AsyncDisposable {
  readonly address: string;
  readonly client: ModelRegistryServiceClient;
  readonly server: Server;
  readonly calls: CallTracker;
  /** What went to the log. */
  readonly logged: object[];
}

/** Serves the handlers on a port of its own; disposing of it cuts what is still open. */
export async function serveFake(handlers: Partial<Handlers>): Promise<FakeRegistry> {
  const calls = new CallTracker({ calls: Infinity, listings: Infinity, health: Infinity, reflection: Infinity });
  const logged: object[] = [];
  const record = (context: object, message: string) => void logged.push({ ...context, message });
  const log = { error: record, warn: record };
  const observer = {
    instruments: new Instruments(createNoopMeter(), new CallDurations()),
    spans: undefined,
    log: { ...log, debug: record, info: record },
    logsCalls: false,
  };
  const gate = createGate({ calls, authenticate: () => anybody, openAs: () => undefined, log, observer });
  const server = new Server({ interceptors: [gate] });
  addService(server, ModelRegistryServiceDefinition, { ...unused, ...handlers }, { calls, log });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const address = `127.0.0.1:${port}`;
  const client = new ModelRegistryServiceClient(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const dispose = async () => {
    client.close();
    server.forceShutdown();
  };
  return { address, client, server, calls, logged, [Symbol.asyncDispose]: dispose };
}

const unused: Handlers = {
  registerVersion: () => Promise.reject(new Error("not served by this test")),
  getVersion: () => Promise.reject(new Error("not served by this test")),
  // biome-ignore lint/correctness/useYield: it only fails.
  listVersions: async function* () {
    throw new Error("not served by this test");
  },
  // biome-ignore lint/correctness/useYield: it only fails.
  listModels: async function* () {
    throw new Error("not served by this test");
  },
};

/** The answer of a unary call, or its error. */
export function answerOf<Response>(
  call: (done: (error: ServiceError | null, response?: Response) => void) => ClientUnaryCall,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  call((error, response) => {
    if (response === undefined) reject(error);
    else resolve(response);
  });
  return promise;
}

/** Calls GetVersion, by default with an empty request. */
export function getVersion(
  { client }: FakeRegistry,
  request: MessageInitShape<typeof GetVersionRequestSchema> = {},
): Promise<GetVersionResponse> {
  return answerOf<GetVersionResponse>((done) => client.getVersion(create(GetVersionRequestSchema, request), done));
}

/** Calls ListVersions; pageSize is for a handler to take as it likes. */
export function listVersions(
  { client }: FakeRegistry,
  { pageSize = 0, ...options }: CallOptions & { pageSize?: number } = {},
): ClientReadableStream<ListVersionsResponse> {
  return client.listVersions(create(ListVersionsRequestSchema, { pageSize }), options);
}

/** The tokens of all messages that came, and how the stream ended. */
export async function outcomeOf(
  call: ClientReadableStream<ListVersionsResponse>,
): Promise<{ tokens: string[]; error: RpcError | undefined }> {
  const tokens: string[] = [];
  const { promise: error, resolve } = Promise.withResolvers<RpcError | undefined>();
  call.on("data", ({ nextPageToken }: ListVersionsResponse) => tokens.push(nextPageToken));
  call.on("error", (caught: ServiceError) => resolve(readError(caught)));
  call.on("end", () => resolve(undefined));
  return { error: await error, tokens };
}

/** A GetVersionResponse about a version of this number. */
export function versionResponse(version: string) {
  return create(GetVersionResponseSchema, { modelVersion: { version } });
}

/** A ListVersionsResponse with this token, of about `padding` bytes more. */
export function page(nextPageToken: string, padding = 0) {
  const model = "x".repeat(padding);
  return create(ListVersionsResponseSchema, { nextPageToken, versions: [{ modelVersion: { model } }] });
}
