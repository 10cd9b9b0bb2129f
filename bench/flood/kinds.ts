import { create } from "@bufbuild/protobuf";
import { ModelRegistryServiceDefinition as methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { GetVersionRequestSchema, ListVersionsRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { Connection } from "./connection.ts";
import { formatMessage, preface } from "./frames.ts";
import { floodedModel, hotModel } from "./models.ts";

/** A kind of connection that a flood is made of. */
export interface Kind {
  /** How many there are, unless it is said. */
  readonly count: number;
  readonly description: string;
  /** What a connection does once it is opened; the index tells the connections of a kind apart. */
  readonly begin: (connection: Connection, index: number) => void;
}

const listMessage = formatMessage(
  methods.listVersions.requestSerialize(create(ListVersionsRequestSchema, { model: floodedModel.model })),
);
const getMessage = formatMessage(
  methods.getVersion.requestSerialize(
    create(GetVersionRequestSchema, { model: hotModel.model, selector: { case: "version", value: "1.0.0" } }),
  ),
);
const halfMessage = getMessage.subarray(0, getMessage.length / 2);

const TINY_WINDOW_BYTES = 16;
const READ_PERIOD_MS = 1_000;
const TRICKLE_PERIOD_MS = 200;

/** The kinds of the flood, by the names of their options. */
export const kinds = {
  silent: {
    count: 300,
    description: "connections that send nothing",
    begin: () => undefined,
  },
  "half-preface": {
    count: 300,
    description: "connections that send half of the HTTP/2 preface",
    begin: (connection) => connection.send(preface.subarray(0, preface.length / 2)),
  },
  idle: {
    count: 300,
    description: "connections that speak HTTP/2, answer pings and call nothing",
    begin: (connection) => connection.beginHttp2(),
  },
  unfinished: {
    count: 100,
    description: "connections with 1 to 3 calls of which half a request message is sent",
    begin: (connection, index) => {
      connection.beginHttp2();
      for (let call = 0; call <= index % 3; call += 1) callInPart(connection);
    },
  },
  trickle: {
    count: 50,
    description: "connections whose call is sent at a byte each 200 ms",
    begin: trickle,
  },
  stuck: {
    count: 30,
    description: "listings of a large model that are never read, with a window of 16 bytes",
    begin: (connection) => {
      connection.beginHttp2(TINY_WINDOW_BYTES);
      list(connection);
    },
  },
  slow: {
    count: 30,
    description: "listings of a large model that are read at a message (64 KiB) a second",
    begin: (connection) => {
      connection.beginHttp2();
      connection.readEvery(READ_PERIOD_MS, list(connection));
    },
  },
  vanishing: {
    count: 50,
    description: "connections with a call whose request is unfinished; 20 a second are reset and opened anew",
    begin: (connection) => {
      connection.beginHttp2();
      callInPart(connection);
    },
  },
} as const satisfies Record<string, Kind>;

/** The name of a kind. */
export type KindName = keyof typeof kinds;

/** How many connections of each kind. */
export type KindNumbers = Readonly<Record<KindName, number>>;

/** The names of the kinds, in their order. */
export const kindNames = Object.keys(kinds) as KindName[]; // Their type says string.

function list(connection: Connection): number {
  const stream = connection.beginCall(methods.listVersions.path);
  connection.endCall(stream, listMessage);
  return stream;
}

function callInPart(connection: Connection): void {
  connection.sendPart(connection.beginCall(methods.getVersion.path), halfMessage);
}

/** Every other one sends the headers at once, and so gets to an answer within seconds. */
function trickle(connection: Connection, index: number): void {
  const isSlowAtOnce = index % 2 === 0;
  connection.beginHttp2();
  if (isSlowAtOnce) connection.slowDown(TRICKLE_PERIOD_MS);
  const stream = connection.beginCall(methods.getVersion.path);
  if (!isSlowAtOnce) connection.slowDown(TRICKLE_PERIOD_MS);
  connection.endCall(stream, getMessage);
}
