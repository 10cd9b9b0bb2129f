import type {
  GetVersionRequest,
  ListModelsRequest,
  ListVersionsRequest,
  RegisterVersionRequest,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { InsertQueue } from "../store/insert-queue.ts";
import type { CallerContext } from "./caller-context.ts";
import { getVersion, type Sources } from "./get-version.ts";
import { listModels } from "./list-models.ts";
import { listVersions } from "./list-versions.ts";
import type { ListingContext } from "./listing-pages.ts";
import { ModelQueue } from "./model-queue.ts";
import { type RegistrationContext, registerVersion } from "./register-version.ts";

/** The operations of the registry, one function each, on one database. */
export type Registry = ReturnType<typeof createRegistry>;

/** Binds the operations to a database, and to what has copies of its records. */
export function createRegistry(sources: Sources) {
  const { database, records } = sources;
  const registrar = { database, inserts: new InsertQueue(database), records, increments: new ModelQueue() };
  return {
    registerVersion: (request: RegisterVersionRequest, context: RegistrationContext) =>
      registerVersion(registrar, request, context),
    getVersion: (request: GetVersionRequest, context: CallerContext) => getVersion(sources, request, context),
    listVersions: (request: ListVersionsRequest, context: ListingContext) => listVersions(database, request, context),
    listModels: (request: ListModelsRequest, context: ListingContext) => listModels(database, request, context),
  };
}
