import { randomUUID } from "node:crypto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { type Connection, type ConnectOptions, connect } from "./connection.ts";
import { RegistryError } from "./errors.ts";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
  type Model,
  ModelRegistryService,
  type Prereleases,
  RegisterVersionRequestSchema,
} from "./gen/stele/v1/model_registry_service_pb.ts";
import type { ModelVersion } from "./gen/stele/v1/model_version_pb.ts";
import { LinkedAbort } from "./linked-abort.ts";
import { listPages, type Page } from "./listing.ts";
import { callWithRetries } from "./retry.ts";

/** Options of a client. */
export interface ClientOptions extends ConnectOptions {
  /** How long a call takes at most, all attempts together, in milliseconds; 30,000 unless said otherwise. */
  readonly timeoutMs?: number | undefined;
}

/** Options of a call. */
export interface CallOptions {
  /** Ends the call, which then fails with Code.Canceled. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The timeout of this call in milliseconds, instead of the client's. A listing has no deadline: there it is how long it
   * goes without a message after a failure.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of SteleClient.resolve. */
export interface ResolveOptions extends CallOptions {
  /** Which prereleases are in the range; npm's rule unless said otherwise. */
  readonly prereleases?: Prereleases | undefined;
}

const defaultTimeoutMs = 30_000;
// The most that gRPC's grpc-timeout has digits for.
const maxTimeoutMs = 99_999_999;

/**
 * A client of the registry. It repeats calls that failed for now, and any number of them may be made at once:
 *
 *     using client = new SteleClient({ address: "registry.example:443", token: process.env.STELE_TOKEN });
 *     const record = await client.resolve("vision/resnet-50", "^1.2");
 *
 * Calls fail with a RegistryError: a NotFoundError, a VersionAlreadyExistsError, an InvalidArgumentError, or itself.
 */
export class SteleClient implements Disposable {
  /** The generated stub, on the same connection and with the token; without retries, timeout and typed errors. */
  readonly stub: Client<typeof ModelRegistryService>;
  readonly #address: string;
  readonly #timeoutMs: number;
  readonly #connection: Connection;
  readonly #closed = new AbortController();

  /**
   * Prepares a client; the first call opens the connection.
   *
   * @throws TypeError when the options contradict each other, RangeError when the timeout is none, Error when a
   * certificate or key cannot be read.
   */
  constructor({ timeoutMs = defaultTimeoutMs, ...options }: ClientOptions) {
    this.#address = options.address;
    this.#timeoutMs = checkTimeout(timeoutMs);
    this.#connection = connect(options, this.#closed.signal);
    this.stub = createClient(ModelRegistryService, this.#connection.transport);
  }

  /**
   * Registers a version with its complete record, once and for ever; answers the record as it is stored. Without a
   * requestId it gets a fresh one, so that repeating it is safe.
   *
   *     await client.register({ model: "cnn", number: { case: "version", value: "1.0.0" }, metadata: { format: "onnx" } });
   *
   * @throws VersionAlreadyExistsError, InvalidArgumentError, RegistryError
   */
  async register(
    init: MessageInitShape<typeof RegisterVersionRequestSchema>,
    options: CallOptions = {},
  ): Promise<ModelVersion> {
    const request = copy(RegisterVersionRequestSchema, init);
    request.requestId ||= randomUUID();
    return await this.#call((call) => this.stub.registerVersion(request, call), options);
  }

  /**
   * The record of exactly this version.
   *
   * @throws NotFoundError, InvalidArgumentError, RegistryError
   */
  async get(model: string, version: string, options: CallOptions = {}): Promise<ModelVersion> {
    const request = create(GetVersionRequestSchema, { model, selector: { case: "version", value: version } });
    return await this.#call((call) => this.stub.getVersion(request, call), options);
  }

  /**
   * The record of the highest version in a range of npm's grammar, such as `^1.2`; `*` is the highest of all.
   *
   * @throws NotFoundError, InvalidArgumentError, RegistryError
   */
  async resolve(model: string, range: string, { prereleases, ...options }: ResolveOptions = {}): Promise<ModelVersion> {
    const request = create(GetVersionRequestSchema, { model, selector: { case: "range", value: range } });
    if (prereleases !== undefined) request.prereleases = prereleases;
    return await this.#call((call) => this.stub.getVersion(request, call), options);
  }

  /**
   * The versions of a model, by precedence, each once; the listing goes on after its last message where the connection
   * breaks. Leaving the loop ends it.
   *
   *     for await (const { version } of client.listVersions({ model: "cnn", range: "^1" })) console.log(version);
   *
   * The iteration throws NotFoundError, InvalidArgumentError or RegistryError.
   */
  listVersions(
    init: MessageInitShape<typeof ListVersionsRequestSchema>,
    options: CallOptions = {},
  ): AsyncGenerator<ModelVersion, void> {
    const request = copy(ListVersionsRequestSchema, init);
    return this.#list(
      (pageToken, signal) =>
        this.stub.listVersions({ ...request, pageToken: pageToken ?? request.pageToken }, { signal }),
      ({ versions }) => versions.map(({ modelVersion }) => required(modelVersion)),
      options,
    );
  }

  /**
   * The models by name, each with its highest versions, and each once, as with listVersions.
   *
   * The iteration throws InvalidArgumentError or RegistryError.
   */
  listModels(
    init: MessageInitShape<typeof ListModelsRequestSchema> = {},
    options: CallOptions = {},
  ): AsyncGenerator<Model, void> {
    const request = copy(ListModelsRequestSchema, init);
    return this.#list(
      (pageToken, signal) =>
        this.stub.listModels({ ...request, pageToken: pageToken ?? request.pageToken }, { signal }),
      ({ models }) => models,
      options,
    );
  }

  /** Closes the connection; calls under way and later ones fail with Code.Canceled. */
  close(): void {
    this.#closed.abort(new Error("the client is closed"));
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #call(
    send: (call: { signal: AbortSignal; timeoutMs: number }) => Promise<{ modelVersion?: ModelVersion | undefined }>,
    { signal, timeoutMs = this.#timeoutMs }: CallOptions,
  ): Promise<ModelVersion> {
    checkTimeout(timeoutMs);
    using abort = new LinkedAbort(this.#closed.signal, signal);
    const limits = { address: this.#address, timeoutMs, signal: abort.signal };
    const answer = await callWithRetries((leftMs) => send({ signal: abort.signal, timeoutMs: leftMs }), limits);
    return required(answer.modelVersion);
  }

  async *#list<P extends Page, Item>(
    open: (pageToken: string | undefined, signal: AbortSignal) => AsyncIterable<P>,
    itemsOf: (page: P) => readonly Item[],
    { signal, timeoutMs = this.#timeoutMs }: CallOptions,
  ): AsyncGenerator<Item, void> {
    checkTimeout(timeoutMs);
    using abort = new LinkedAbort(this.#closed.signal, signal);
    const limits = { address: this.#address, timeoutMs, signal: abort.signal };
    for await (const page of listPages({ open, ...limits })) yield* itemsOf(page);
  }
}

/** A copy by way of its bytes: what the caller changes later is not sent, and what cannot be sent is refused at once. */
function copy<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): MessageShape<Schema> {
  return fromBinary(schema, toBinary(schema, create(schema, init)));
}

function required<Message>(message: Message | undefined): Message {
  if (message !== undefined) return message;
  throw new RegistryError("the service answered without a record", { code: Code.Internal });
}

function checkTimeout(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs <= maxTimeoutMs) return timeoutMs;
  throw new RangeError(`a timeout is more than 0 and at most ${maxTimeoutMs} milliseconds, not ${timeoutMs}`);
}
