import type { Server } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { decodeStrictly } from "../domain/strict-decoding.ts";
import { Violations } from "../domain/violations.ts";
import type { Registry } from "../registry/registry.ts";
import { type AdapterOptions, addService } from "./adapter.ts";
import { encodeListModelsResponse, encodeListVersionsResponse, encodeModelVersion } from "./encoded-response.ts";
import { modelPageTokens, versionPageTokens } from "./page-token.ts";

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

      getVersion: async (request, { signal }) => encodeModelVersion(await registry.getVersion(request, signal)),

      listVersions: async function* (request, { signal }) {
        const encodeToken = versionPageTokens.encoder(request);
        const start = versionPageTokens.decode(request);
        for await (const { entries, next } of registry.listVersions(request, { start, signal })) {
          yield encodeListVersionsResponse(entries, next === undefined ? "" : encodeToken(next));
        }
      },

      listModels: async function* (request, { signal }) {
        const encodeToken = modelPageTokens.encoder(request);
        const start = modelPageTokens.decode(request);
        for await (const { entries, next } of registry.listModels(request, { start, signal })) {
          yield encodeListModelsResponse(entries, next === undefined ? "" : encodeToken(next));
        }
      },
    },
    options,
  );
}
