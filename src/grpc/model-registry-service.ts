import type { Server } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { notYetSupported } from "../domain/errors.ts";
import { decodeStrictly } from "../domain/strict-decoding.ts";
import { Violations } from "../domain/violations.ts";
import type { Registry } from "../registry/registry.ts";
import { type AdapterOptions, addService } from "./adapter.ts";
import { encodeListVersionsResponse, encodeModelVersion } from "./encoded-response.ts";
import { decodePageToken, pageTokenEncoder } from "./page-token.ts";

/** Serves stele.v1.ModelRegistryService from the registry; the proto's comments are the reference. */
export function addModelRegistryService(server: Server, registry: Registry, options: AdapterOptions): void {
  addService(
    server,
    ModelRegistryServiceDefinition,
    {
      // What is stored for ever is only what was understood: the bytes are looked at, not just their decoding.
      registerVersion: {
        fromBytes: async (bytes, { signal }) => {
          const violations = new Violations();
          const request = decodeStrictly(RegisterVersionRequestSchema, bytes, violations);
          return encodeModelVersion(await registry.registerVersion(request, { violations, registeredBy: "", signal }));
        },
      },

      getVersion: async (request) => encodeModelVersion(await registry.getVersion(request)),

      listVersions: async function* (request) {
        const encodePageToken = pageTokenEncoder(request);
        for await (const { records, next } of registry.listVersions(request, decodePageToken(request))) {
          yield encodeListVersionsResponse(records, next === undefined ? "" : encodePageToken(next));
        }
      },

      // biome-ignore lint/correctness/useYield: it has nothing to send until it works.
      listModels: async function* () {
        throw notYetSupported("ListModels");
      },
    },
    options,
  );
}
