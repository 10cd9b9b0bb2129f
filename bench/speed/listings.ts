// Listings: whole models, their first message, a page deep inside, and models.

import { create, toBinary } from "@bufbuild/protobuf";
import {
  ListModelsRequestSchema,
  type ListVersionsRequest,
  ListVersionsRequestSchema,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { versionPageTokens } from "../../src/grpc/page-token.ts";
import type { VersionsRequest } from "../raw-client.ts";
import { versionAt } from "../rows.ts";
import { type Arena, encodeListVersions, firstModels, type Server } from "./arena.ts";
import type { Contestant } from "./contest.ts";
import { inFlight, makeCalls, repeatCall, useDatabase } from "./contestants.ts";
import { frameMessage } from "./grpc-call.ts";
import type { Measurement } from "./measurement.ts";
import { bigModel } from "./models.ts";
import type { NodeLoadOrder } from "./node-load-program.ts";

const PAGES = "pages, no gRPC";

const shapes = {
  full: {},
  "range ^5": { range: "^5" },
  "view BASIC": { view: View.BASIC },
  // Which all fulfil, so that every record is sent.
  filter: { filter: 'metadata.metrics["accuracy"] >= 0.5' },
} as const satisfies Record<string, VersionsRequest>;

const stream: Measurement = {
  name: "list",
  title: "ListVersions of the large model",
  unit: "versions",
  base: PAGES,
  targets: [{ kind: "ratio", contestant: "full", min: 0.6 }],
  contestants: (arena) => {
    const { model } = bigModel(arena.scale);
    const read = (name: string, server: Server, request: VersionsRequest) =>
      list(arena, { name, server, request: { model, ...request }, unit: "entry" });
    return [
      read("full", arena.service, shapes.full),
      useDatabase(arena, PAGES, { kind: "pages", model }),
      read("view BASIC", arena.service, shapes["view BASIC"]),
      read("filter", arena.service, shapes.filter),
      read("bare server, full", arena.bareServer, shapes.full),
    ];
  },
};

const shapeNames = Object.keys(shapes) as (keyof typeof shapes)[]; // Their type says string.

const firstMessage: Measurement = {
  name: "first-message",
  title: "ListVersions of the large model up to the first message, one at a time",
  unit: "calls",
  base: "full",
  targets: shapeNames.map((contestant) => ({ kind: "time", contestant, maxMs: 50 })),
  contestants: (arena) => {
    const { model } = bigModel(arena.scale);
    return shapeNames.map((name) =>
      list(arena, {
        name,
        server: arena.service,
        request: { model, ...shapes[name] },
        unit: "first message",
      }),
    );
  },
};

function list(
  arena: Arena,
  { request, ...call }: { name: string; server: Server; request: VersionsRequest; unit: NodeLoadOrder["unit"] },
): Contestant {
  const base64 = frameMessage(encodeListVersions(request)).toString("base64");
  return makeCalls(arena, {
    ...call,
    method: "listVersions",
    bodies: { kind: "fixed", base64 },
    concurrency: inFlight(1),
  });
}

const PAGE = 500;
/** So many versions are left after the deep page's token. */
const REST = 5_000;

const deepPage: Measurement = {
  name: "deep-page",
  title: `${PAGE} versions by a token, ${REST} before the end of the large model`,
  unit: "calls",
  base: "first page",
  targets: [{ kind: "ratio", contestant: "deep page", min: 0.83 }],
  contestants: (arena) => {
    const plan = bigModel(arena.scale);
    const request = create(ListVersionsRequestSchema, { model: plan.model, limit: PAGE });
    const after = encodePrecedence(parseKnownVersion(versionAt(plan, REST)));
    const pageToken = versionPageTokens.encoder(request)({ after, remaining: PAGE });
    const read = (name: string, message: ListVersionsRequest) =>
      repeatCall(arena, {
        name,
        server: arena.service,
        method: "listVersions",
        message: toBinary(ListVersionsRequestSchema, message),
        concurrency: inFlight(1),
      });
    return [read("deep page", { ...request, pageToken }), read("first page", request)];
  },
};

const models: Measurement = {
  name: "list-models",
  title: "ListModels, the first 100 of 1000",
  unit: "calls",
  base: "bare server",
  targets: [],
  contestants: (arena) => {
    const message = toBinary(ListModelsRequestSchema, firstModels);
    const read = (name: string, server: Server) =>
      repeatCall(arena, { name, server, method: "listModels", message, concurrency: inFlight(16) });
    return [read("stele", arena.service), read("bare server", arena.bareServer)];
  },
};

/** ListVersions and ListModels. */
export const listings: readonly Measurement[] = [stream, firstMessage, deepPage, models];
