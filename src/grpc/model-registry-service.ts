import type { Server } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { decodeStrictly } from "../domain/strict-decoding.ts";
import { Violations } from "../domain/violations.ts";
import type { ListingPosition, Page } from "../registry/listing-pages.ts";
import type { Registry } from "../registry/registry.ts";
import { type AdapterOptions, addService, type Encoded } from "./adapter.ts";
import { encodeListModelsResponse, encodeListVersionsResponse, encodeModelVersion } from "./encoded-response.ts";
import { modelPageTokens, versionPageTokens } from "./page-token.ts";

const paths: ReadonlySet<string> = new Set(Object.values(ModelRegistryServiceDefinition).map(({ path }) => path));

/** Whether the method (`/package.Service/Method`) is one of the registry. */
export function isRegistryMethod(path: string): boolean {
  return paths.has(path);
}

/** Serves stele.v1.ModelRegistryService from the registry; the proto's comments are the reference. */
export function addModelRegistryService(server: Server, registry: Registry, options: AdapterOptions): void {
  addService(
    server,
    ModelRegistryServiceDefinition,
    {
      // What is stored for ever is only what was understood: the bytes are looked at, not just their decoding.
      registerVersion: {
        fromBytes: async (bytes, context) => {
          const violations = new Violations();
          const request = decodeStrictly(RegisterVersionRequestSchema, bytes, violations);
          const { caller, signal } = context;
          return encodeModelVersion(await registry.registerVersion(request, { violations, caller, signal }));
        },
      },

      getVersion: async (request, context) => encodeModelVersion(await registry.getVersion(request, context)),

      listVersions: (request, { caller, signal }) => {
        const start = versionPageTokens.decode(request);
        const pages = registry.listVersions(request, { start, caller, signal });
        return encodePages(pages, encodeListVersionsResponse, versionPageTokens.encoder(request));
      },

      listModels: (request, { caller, signal }) => {
        const start = modelPageTokens.decode(request);
        const pages = registry.listModels(request, { start, caller, signal });
        return encodePages(pages, encodeListModelsResponse, modelPageTokens.encoder(request));
      },
    },
    options,
  );
}

async function* encodePages<Response>(
  pages: AsyncIterable<Page>,
  encode: (entries: readonly Uint8Array[], nextPageToken: string) => Encoded<Response>,
  encodeToken: (position: ListingPosition) => string,
): AsyncGenerator<Encoded<Response>, void, undefined> {
  // The entries are taken out, so that no second copy of them lives while the client is waited for.
  for await (const { entries, next } of pages) {
    yield encode(entries.splice(0), next === undefined ? "" : encodeToken(next));
  }
}
