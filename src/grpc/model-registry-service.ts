import type { Server } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { decodeStrictly } from "../domain/strict-decoding.ts";
import { Violations } from "../domain/violations.ts";
import type { ListingPosition, Page } from "../registry/listing-pages.ts";
import type { Registry } from "../registry/registry.ts";
import { type AdapterOptions, addService, type Encoded } from "./adapter.ts";
import type { ObservedCall } from "./call-observer.ts";
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
        fromBytes: async (bytes, context) => {
          const violations = new Violations();
          const request = decodeStrictly(RegisterVersionRequestSchema, bytes, violations);
          const { caller, signal } = context;
          const { record, outcome } = await registry.registerVersion(request, { violations, caller, signal });
          context.observed.registered(outcome);
          return encodeModelVersion(record);
        },
      },

      getVersion: (request, context) => {
        const record = registry.getVersion(request, context);
        return record instanceof Promise ? record.then(encodeModelVersion) : encodeModelVersion(record);
      },

      listVersions: (request, { caller, signal, observed }) => {
        const start = versionPageTokens.decode(request);
        const pages = registry.listVersions(request, { start, caller, signal });
        const encoding = { encode: encodeListVersionsResponse, encodeToken: versionPageTokens.encoder(request) };
        return encodePages(pages, encoding, observed);
      },

      listModels: (request, { caller, signal, observed }) => {
        const start = modelPageTokens.decode(request);
        const pages = registry.listModels(request, { start, caller, signal });
        const encoding = { encode: encodeListModelsResponse, encodeToken: modelPageTokens.encoder(request) };
        return encodePages(pages, encoding, observed);
      },
    },
    options,
  );
}

interface PageEncoding<Response> {
  readonly encode: (entries: readonly Uint8Array[], nextPageToken: string) => Encoded<Response>;
  readonly encodeToken: (position: ListingPosition) => string;
}

async function* encodePages<Response>(
  pages: AsyncIterable<Page>,
  encoding: PageEncoding<Response>,
  observed: ObservedCall,
): AsyncGenerator<Encoded<Response>, void, undefined> {
  for await (const page of pages) yield encodePage(page, encoding, observed);
}

// A function of its own, and the entries taken out, so that nothing holds a second copy while the client is waited for.
function encodePage<Response>(
  { entries, next }: Page,
  { encode, encodeToken }: PageEncoding<Response>,
  observed: ObservedCall,
): Encoded<Response> {
  const count = entries.length;
  const bytes = encode(entries.splice(0), next === undefined ? "" : encodeToken(next));
  observed.listed(count, bytes.length);
  return bytes;
}
