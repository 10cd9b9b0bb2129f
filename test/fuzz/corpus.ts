// Valid requests of every method, serialized: what the fuzzer damages. The stored ones are few versions of few models,
// however often they are sent: an increment repeats its request_id or only validates.

import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  type ListVersionsRequest,
  ListVersionsRequestSchema,
  Order,
  Prereleases,
  RegisterVersionRequestSchema,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { modelPageTokens, versionPageTokens } from "../../src/grpc/page-token.ts";
import { Random } from "../hammer/random.ts";
import { arbitraryMetadata } from "../support/arbitrary-metadata.ts";
import { arbitraryRegistration, toRequest } from "../support/arbitrary-registration.ts";
import { between, pick, repeat } from "./choice.ts";
import { hostileTexts } from "./hostile.ts";
import { bytesField } from "./wire.ts";

/** A method's path and requests that it understands. */
export interface Method {
  readonly path: string;
  readonly requests: readonly Buffer[];
}

/** The methods by name; the same for the same seed. */
export type Corpus = Readonly<Record<MethodName, Method>>;

type MethodName = keyof typeof weights;

const REQUESTS = 200;
const service = "/stele.v1.ModelRegistryService";
const reflection = "ServerReflection/ServerReflectionInfo";
const weights = {
  register: 30,
  get: 18,
  versions: 26,
  models: 10,
  health: 8,
  reflection: 4,
  oldReflection: 4,
} as const;

const names = ["vision/resnet-50", "image_classifier"] as const;
const versions = ["0.0.1", "1.0.0", "1.0.1-rc.1", "1.1.0", "2.0.0+a", "2.0.0-beta.x"];
const ranges = ["", "*", "^1", "1.x", ">=1.0.0 <2.0.0", "0.x || 2.x", "~1.0", "^2.0.0-rc.1"];
const prereleases = [Prereleases.UNSPECIFIED, Prereleases.INCLUDE, Prereleases.EXCLUDE];
const orders = [Order.UNSPECIFIED, Order.HIGHEST_FIRST, Order.LOWEST_FIRST];
const views = [View.UNSPECIFIED, View.FULL, View.BASIC];
const filters = [
  "",
  "",
  'metadata.metrics["accuracy"] > 0.9 && metadata.labels["team"] == "vision"',
  'metadata.description == "a"',
  'metadata.artifacts.exists(a, a.uri.startsWith("s3://"))',
  'model == "image_classifier"',
];

/** Makes the corpus of a seed. */
export function createCorpus(seed: number): Corpus {
  const random = new Random(seed, "corpus");
  const many = (make: () => Buffer) => repeat(REQUESTS, make);
  const reflected = many(() => reflectionRequest(random));
  return {
    register: { path: `${service}/RegisterVersion`, requests: registrations(seed) },
    get: { path: `${service}/GetVersion`, requests: many(() => getRequest(random)) },
    versions: { path: `${service}/ListVersions`, requests: many(() => listVersionsRequest(random)) },
    models: { path: `${service}/ListModels`, requests: many(() => listModelsRequest(random)) },
    health: { path: "/grpc.health.v1.Health/Check", requests: many(() => healthRequest(random)) },
    reflection: { path: `/grpc.reflection.v1.${reflection}`, requests: reflected },
    oldReflection: { path: `/grpc.reflection.v1alpha.${reflection}`, requests: reflected },
  };
}

/** Any method of the corpus, those of the registry more often. */
export function pickMethod(random: Random, corpus: Corpus): Method {
  return corpus[random.weighted(weights)];
}

function registrations(seed: number): Buffer[] {
  const random = new Random(seed, "registrations");
  const plain = fc.tuple(arbitraryRegistration(), arbitraryMetadata());
  return fc.sample(plain, { seed, numRuns: REQUESTS }).map(([registration, metadata]) => {
    const request = create(RegisterVersionRequestSchema, toRequest(names, registration));
    request.metadata = { ...metadata, dependencies: request.metadata?.dependencies ?? [] };
    if (request.number.case === "increment") request.requestId = random.uuid();
    return serialize(RegisterVersionRequestSchema, request);
  });
}

function getRequest(random: Random): Buffer {
  const selector = random.percent(50)
    ? ({ case: "version", value: pick(random, versions) } as const)
    : ({ case: "range", value: pick(random, ranges.slice(1)) } as const);
  return serialize(GetVersionRequestSchema, {
    model: pick(random, names),
    selector,
    prereleases: pick(random, prereleases),
  });
}

function listVersionsRequest(random: Random): Buffer {
  const request = create(ListVersionsRequestSchema, {
    model: pick(random, names),
    range: pick(random, ranges),
    prereleases: pick(random, prereleases),
    order: pick(random, orders),
    filter: pick(random, filters),
    view: pick(random, views),
    limit: between(random, 1, 30),
    pageSize: pick(random, [0, 1, 3, 1000]),
  });
  return serialize(ListVersionsRequestSchema, { ...request, pageToken: versionsToken(random, request) });
}

function versionsToken(random: Random, request: ListVersionsRequest): string {
  if (random.percent(60)) return "";
  const after = encodePrecedence(parseKnownVersion(pick(random, versions)));
  return versionPageTokens.encoder(request)({ after, remaining: between(random, 1, request.limit) });
}

function listModelsRequest(random: Random): Buffer {
  const request = create(ListModelsRequestSchema, {
    prefix: pick(random, ["", "", "vision/", "image", "z"]),
    pageSize: pick(random, [0, 1, 3, 1000]),
    limit: between(random, 1, 30),
  });
  if (random.percent(60)) return serialize(ListModelsRequestSchema, request);
  const position = { after: Buffer.from(pick(random, names)), remaining: request.limit };
  return serialize(ListModelsRequestSchema, { ...request, pageToken: modelPageTokens.encoder(request)(position) });
}

function healthRequest(random: Random): Buffer {
  const known = random.percent(60);
  return bytesField(1, known ? pick(random, ["", service.slice(1)]) : pick(random, hostileTexts));
}

/** A question of grpc.reflection: file by name, file of a symbol, file of an extension, extensions, services. */
function reflectionRequest(random: Random): Buffer {
  const texts = [service.slice(1), "stele/v1/model_version.proto", "stele.v1.ModelVersion", "__proto__", "constructor"];
  const text = pick(random, texts);
  const extension = Buffer.concat([bytesField(1, text), Buffer.from([0x10, random.below(128)])]);
  const number = pick(random, [3, 4, 5, 6, 7]);
  return bytesField(number, number === 5 ? extension : text);
}

function serialize<Schema extends DescMessage>(schema: Schema, request: MessageInitShape<Schema>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, request)));
}
