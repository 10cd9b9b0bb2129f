// A minimal server that registers versions: it decodes the request, does one direct INSERT, and answers with the
// record. It checks nothing and computes no digest.

import { create, toBinary } from "@bufbuild/protobuf";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition as methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { encodeModelVersion } from "../../src/grpc/encoded-response.ts";
import { readOrder } from "../child-program.ts";
import { insertVersion, openPool } from "./direct-insert.ts";
import { sameBytes, serve } from "./floor-server.ts";

/** What the server is told when it starts. */
export interface InsertServerOrder {
  readonly databaseUrl: string;
}

const pool = openPool(readOrder<InsertServerOrder>().databaseUrl);

const registerVersion: handleUnaryCall<RegisterVersionRequest, Buffer> = (call, callback) => {
  const { model, number, metadata } = call.request;
  const version = number.case === "version" ? number.value : "";
  const modelVersion = create(ModelVersionSchema, { model, version, ...(metadata === undefined ? {} : { metadata }) });
  const record = Buffer.from(toBinary(ModelVersionSchema, modelVersion));
  insertVersion(pool, model, version, record).then(
    () => callback(null, encodeModelVersion(record)),
    (error: Error) => callback(error),
  );
};

const answersBytes = { ...methods.registerVersion, responseSerialize: sameBytes, responseDeserialize: sameBytes };
serve({ registerVersion: answersBytes }, { registerVersion });
