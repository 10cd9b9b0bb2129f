// Does what the conformance driver tells it, through this client's public API; test/conformance/README.md has the
// protocol.

import { readFileSync } from "node:fs";
import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import {
  Code,
  digestOf,
  InvalidArgumentError,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
  type Model,
  ModelSchema,
  type ModelVersion,
  ModelVersionSchema,
  NotFoundError,
  Prereleases,
  RegisterVersionRequestSchema,
  RegistryError,
  SteleClient,
  VersionAlreadyExistsError,
} from "stele-client";

interface Command {
  readonly do: string;
  readonly address: string;
  readonly plaintext?: boolean;
  readonly caFile?: string;
  readonly certificateFile?: string;
  readonly keyFile?: string;
  readonly token?: string;
  readonly timeoutMs?: number;
  readonly request: JsonValue;
  readonly record: JsonValue;
  readonly model: string;
  readonly version: string;
  readonly range: string;
  readonly prereleases?: `PRERELEASES_${keyof typeof Prereleases}`;
  readonly count?: number;
}

type Item = Model | ModelVersion;

let client: SteleClient | undefined;
let iteration: AsyncGenerator<Item, void> | undefined;

const actions: Readonly<Record<string, (command: Command) => object | Promise<object>>> = {
  connect(command) {
    client?.close();
    client = undefined;
    client = open(command);
    return {};
  },
  register: async ({ request }) => answer(await connected().register(read(RegisterVersionRequestSchema, request))),
  get: async ({ model, version }) => answer(await connected().get(model, version)),
  resolve: async ({ model, range, prereleases }) =>
    answer(await connected().resolve(model, range, { prereleases: prereleasesOf(prereleases) })),
  listVersions: ({ request }) => iterate(connected().listVersions(read(ListVersionsRequestSchema, request))),
  listModels: ({ request }) => iterate(connected().listModels(read(ListModelsRequestSchema, request))),
  take: async ({ count = Number.POSITIVE_INFINITY }) => await take(count),
  digest: ({ record }) => ({ answer: digestOf(read(ModelVersionSchema, record)) }),
};

function connected(): SteleClient {
  if (client === undefined) throw new Error("there is no connection");
  return client;
}

function open({ address, plaintext, caFile, certificateFile, keyFile, token, timeoutMs }: Command): SteleClient {
  const [ca, cert, key] = [caFile, certificateFile, keyFile].map((file) => file && readFileSync(file, "utf8"));
  try {
    return new SteleClient({ address, plaintext, ca, cert, key, token, timeoutMs });
  } catch (error) {
    throw new ConfigurationError(String(error), { cause: error });
  }
}

class ConfigurationError extends Error {}

function prereleasesOf(name: Command["prereleases"]): Prereleases | undefined {
  const key = Object.keys(Prereleases).find((key) => name === `PRERELEASES_${key}`);
  return key === undefined ? undefined : Prereleases[key as keyof typeof Prereleases];
}

async function iterate(next: AsyncGenerator<Item, void>): Promise<object> {
  await iteration?.return();
  iteration = next;
  return {};
}

async function take(count: number): Promise<object> {
  const items: JsonValue[] = [];
  try {
    while (items.length < count) {
      const result = await iteration?.next();
      if (result === undefined || result.done === true) return { answer: items, done: true };
      items.push(write(result.value));
    }
    return { answer: items, done: false };
  } catch (error) {
    return { answer: items, error: describe(error) };
  }
}

function read<Schema extends DescMessage>(schema: Schema, json: JsonValue): MessageShape<Schema> {
  return fromJson(schema, json);
}

function write(item: Item): JsonValue {
  return item.$typeName === "stele.v1.Model" ? toJson(ModelSchema, item) : toJson(ModelVersionSchema, item);
}

function answer(item: Item): object {
  return { answer: write(item) };
}

/** A failure, told from the typed error by its own accessors. */
function describe(error: unknown): object {
  if (error instanceof ConfigurationError) return { type: "Configuration", message: error.message };
  if (!(error instanceof RegistryError)) throw error;
  const { message, reason, metadata } = error;
  return { ...typed(error), code: nameOf(error.code), reason, message, metadata };
}

function typed(error: RegistryError): object {
  if (error instanceof VersionAlreadyExistsError) {
    const { model, version, existingVersion, existingDigest, registeredAt, identical } = error;
    return { type: "VersionAlreadyExists", model, version, existingVersion, existingDigest, registeredAt, identical };
  }
  if (error instanceof NotFoundError) {
    const { model, version, range, nearestBelow, nearestAbove, nearestPrerelease } = error;
    return { type: "NotFound", model, version, range, nearestBelow, nearestAbove, nearestPrerelease };
  }
  if (error instanceof InvalidArgumentError) {
    return { type: "InvalidArgument", violations: error.violations, violationsOmitted: error.violationsOmitted };
  }
  return { type: "RegistryError" };
}

/** ALREADY_EXISTS for Code.AlreadyExists; gRPC spells CANCELLED otherwise than Connect. */
function nameOf(code: Code): string {
  return code === Code.Canceled ? "CANCELLED" : Code[code].replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase();
}

async function obey(line: string): Promise<object> {
  try {
    const command: Command = JSON.parse(line);
    const action = actions[command.do];
    if (action === undefined) throw new Error(`unknown: ${command.do}`);
    return await action(command);
  } catch (error) {
    return { error: describe(error) };
  }
}

// node:readline would also end lines at U+2028 and U+2029, which JSON texts may hold.
let rest = "";
for await (const chunk of process.stdin.setEncoding("utf8")) {
  const lines = `${rest}${chunk}`.split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) process.stdout.write(`${JSON.stringify(await obey(line))}\n`);
}
client?.close();
