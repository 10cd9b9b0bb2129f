import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type ClientUnaryCall, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  ModelRegistryServiceClient,
  ModelRegistryServiceDefinition,
} from "../../gen/stele/v1/model_registry_service_grpc.ts";
import {
  Level,
  type RegisterVersionRequest,
  RegisterVersionRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readError } from "../support/rpc-error.ts";
import type { Outcome, Request } from "./history.ts";

/** No call may take longer: a call without a deadline of its own that ends by this one is a fault of the service. */
export const patienceMs = 30_000;

/** A client of one replica that sends every call exactly once and keeps the bytes of the answer. */
export class RegistrationCaller implements Disposable {
  readonly #client: ModelRegistryServiceClient;

  constructor(address: string) {
    this.#client = new ModelRegistryServiceClient(address, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 500,
    });
  }

  /** Sends the request and answers what became of it, also when the client itself leaves. */
  async call(request: Request): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    const outcome = await new Promise<Outcome>((resolve) => {
      const call = this.#send(request, (error, response) => resolve(toOutcome(error, response)));
      if (request.cancelAfterMs !== undefined) timer = setTimeout(() => call.cancel(), request.cancelAfterMs);
    });
    clearTimeout(timer);
    return outcome;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #send(request: Request, done: (error: ServiceError | null, response?: Buffer) => void): ClientUnaryCall {
    const { path } = ModelRegistryServiceDefinition.registerVersion;
    const deadline = Date.now() + (request.deadlineMs ?? patienceMs);
    const serialize = (bytes: Uint8Array) => Buffer.from(bytes);
    const message = toBinary(RegisterVersionRequestSchema, toMessage(request));
    return this.#client.makeUnaryRequest(path, serialize, sameBytes, message, new Metadata(), { deadline }, done);
  }
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

function toMessage({ model, number, content, requestId = "", validateOnly = false }: Request): RegisterVersionRequest {
  const metadata = { description: content };
  const common = { model, metadata, requestId, validateOnly };
  if (number.kind === "explicit") {
    return create(RegisterVersionRequestSchema, { ...common, number: { case: "version", value: number.version } });
  }
  const { level, within = "", prerelease = "" } = number;
  const increment = { level: Level[level], within, prerelease };
  return create(RegisterVersionRequestSchema, { ...common, number: { case: "increment", value: increment } });
}

function toOutcome(error: ServiceError | null, response: Buffer | undefined): Outcome {
  if (error === null) return { kind: "ok", record: recordOf(response ?? Buffer.alloc(0)).toString("base64") };
  const { code, reason, metadata, message } = readError(error);
  return { kind: "error", code, ...(reason === undefined ? {} : { reason }), metadata, message };
}

/** The bytes of the record as they were sent: decoding and encoding them again could hide a difference. */
function recordOf(response: Buffer): Buffer {
  const reader = new BinaryReader(response);
  reader.tag();
  return Buffer.from(reader.bytes());
}
