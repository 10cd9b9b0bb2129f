// What runs while contestants compete: the database, the service, and the servers that it is compared with.

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { startServiceProcess } from "../../test/support/service-process.ts";
import type { BenchDatabase } from "../bench-database.ts";
import { versionAt } from "../rows.ts";
import type { BareServerOrder } from "./bare-server.ts";
import { FloorProcess } from "./floor-process.ts";
import type { InsertServerOrder } from "./insert-server.ts";
import { bigModel, type Scale } from "./models.ts";

/** A server that is called. */
export interface Server {
  readonly address: string;
  readonly pid: number;
}

/** What a comparison is made in. */
export interface Arena {
  readonly scale: Scale;
  readonly databaseUrl: string;
  readonly service: Server;
  /** Answers the service's bytes from memory. */
  readonly bareServer: Server;
  /** Registers by one direct INSERT. */
  readonly insertServer: Server;
  /** A major version that nobody registers in, of this run or an earlier one. */
  readonly nextMajor: () => number;
  /** Ends with the comparison. */
  readonly processes: AsyncDisposableStack;
}

/** Starts all servers; the stack ends them. */
export async function openArena(
  database: BenchDatabase,
  scale: Scale,
  servers: AsyncDisposableStack,
): Promise<Omit<Arena, "processes">> {
  const service = await startServiceProcess({
    DATABASE_URL: database.url,
    STELE_LOG_LEVEL: "warn",
    STELE_METRICS_LISTEN: "127.0.0.1:0",
  });
  servers.use(service);
  const bareOrder: BareServerOrder = { address: service.address, requests: requestsOf(scale) };
  const insertOrder: InsertServerOrder = { databaseUrl: database.url };
  let major = Math.floor(Date.now() / 1000);
  return {
    scale,
    databaseUrl: database.url,
    service,
    bareServer: servers.use(await FloorProcess.start("bare-server.ts", bareOrder)),
    insertServer: servers.use(await FloorProcess.start("insert-server.ts", insertOrder)),
    nextMajor: () => {
      major += 1;
      return major;
    },
  };
}

function requestsOf(scale: Scale): BareServerOrder["requests"] {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return {
    getVersion: base64(toBinary(GetVersionRequestSchema, hotRequest(scale))),
    listVersions: base64(encodeListVersions({ model: bigModel(scale).model })),
    listModels: base64(toBinary(ListModelsRequestSchema, firstModels)),
  };
}

/** Reads the version in the middle of the large model. */
export function hotRequest(scale: Scale) {
  const plan = bigModel(scale);
  const selector = { case: "version", value: versionAt(plan, Math.floor(plan.versions / 2)) } as const;
  return create(GetVersionRequestSchema, { model: plan.model, selector });
}

/** The first hundred of the many models. */
export const firstModels = create(ListModelsRequestSchema, { prefix: "many-", pageSize: 100, limit: 100 });

/** A request for a listing of versions, as bytes. */
export function encodeListVersions(request: MessageInitShape<typeof ListVersionsRequestSchema>): Uint8Array {
  return toBinary(ListVersionsRequestSchema, create(ListVersionsRequestSchema, request));
}
