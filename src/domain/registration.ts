import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelMetadata } from "../../gen/stele/v1/model_version_pb.ts";
import { validateMetadata } from "./metadata.ts";
import { type ModelName, parseModelName } from "./model-name.ts";
import { parseVersion, type Version } from "./version.ts";
import type { Violations } from "./violations.ts";

/** A request to register that keeps every rule. */
export interface Registration {
  readonly model: ModelName;
  readonly version: Version;
  readonly metadata: ModelMetadata | undefined;
}

/**
 * The registration that a decoded request asks for. Throws one error for everything that is wrong with it,
 * together with what `violations` holds from decoding.
 */
export function parseRegistration(request: RegisterVersionRequest, violations: Violations): Registration {
  const { number, metadata } = request;
  const model = parseModelName(request.model, "model", violations);
  const version = parseVersion(number.case === "version" ? number.value : "", "version", violations);
  if (metadata !== undefined) validateMetadata(metadata, "metadata", violations);
  if (model === undefined || version === undefined) throw violations.toError();
  violations.throwIfAny();
  return { model, version, metadata };
}
