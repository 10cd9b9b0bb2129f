export { Code } from "@connectrpc/connect";
export { type CallOptions, type ClientOptions, type ResolveOptions, SteleClient } from "./client.ts";
export type { ConnectOptions, Token } from "./connection.ts";
export { digestOf } from "./digest.ts";
export {
  type Failure,
  InvalidArgumentError,
  NotFoundError,
  RegistryError,
  registryErrorFrom,
  VersionAlreadyExistsError,
  type Violation,
} from "./errors.ts";
export * from "./gen/stele/v1/model_registry_service_pb.ts";
export * from "./gen/stele/v1/model_version_pb.ts";
