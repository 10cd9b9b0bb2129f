import { type GetVersionRequest, Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { modelNotFound, notYetSupported, versionNotFound } from "../domain/errors.ts";
import { type ModelName, parseModelName } from "../domain/model-name.ts";
import { encodePrecedence } from "../domain/precedence.ts";
import { parseVersion, type Version } from "../domain/version.ts";
import { Violations } from "../domain/violations.ts";
import type { Database } from "../store/database.ts";
import { findRecord, modelExists } from "../store/model-version-store.ts";

/**
 * Reads the serialized record of exactly the version that is asked for; build metadata is no part of it.
 *
 * @throws RegistryError INVALID_REQUEST, MODEL_NOT_FOUND, VERSION_NOT_FOUND, NOT_YET_SUPPORTED.
 */
export async function getVersion(database: Database, request: GetVersionRequest): Promise<Uint8Array> {
  const { model, version } = parseExactSelector(request);
  const record = await findRecord(database, { model, precedence: encodePrecedence(version) });
  if (record !== undefined) return record;
  throw (await modelExists(database, model)) ? versionNotFound(model, version.text) : modelNotFound(model);
}

function parseExactSelector(request: GetVersionRequest): { model: ModelName; version: Version } {
  if (request.selector.case === "range") throw notYetSupported("range");
  if (request.prereleases !== Prereleases.UNSPECIFIED) throw notYetSupported("prereleases");
  const violations = new Violations();
  const model = parseModelName(request.model, "model", violations);
  const version = parseVersion(request.selector.value ?? "", "version", violations);
  if (model === undefined || version === undefined) throw violations.toError();
  return { model, version };
}
