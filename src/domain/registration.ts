import type { RegisterVersionRequest } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelMetadata } from "../../gen/stele/v1/model_version_pb.ts";
import { mayResultIn, type NumberRule, parseIncrement } from "./increment.ts";
import { validateMetadata } from "./metadata.ts";
import { type ModelName, parseModelName } from "./model-name.ts";
import { encodePrecedence } from "./precedence.ts";
import { parseRequestId, type RequestId } from "./request-id.ts";
import { parseVersion, type Version } from "./version.ts";
import { Violations } from "./violations.ts";

/** A version in this registry that another builds on. */
export interface Dependency {
  readonly model: ModelName;
  readonly version: Version;
}

/** Which number a registration asks for: this one, or the next by a rule. */
export type RequestedNumber =
  | { readonly kind: "explicit"; readonly version: Version }
  | { readonly kind: "increment"; readonly rule: NumberRule };

/** A request to register that keeps every rule. */
export interface Registration {
  readonly model: ModelName;
  readonly number: RequestedNumber;
  readonly metadata: ModelMetadata | undefined;
  /** The metadata's dependencies, in their order; whether they exist is for the store to say. */
  readonly dependencies: readonly Dependency[];
  /** By which the caller repeats this registration safely, where it sent one. */
  readonly requestId: RequestId | undefined;
}

/**
 * The registration that a decoded request asks for. Throws one error for everything that is wrong with it,
 * together with what `violations` holds from decoding.
 */
export function parseRegistration(request: RegisterVersionRequest, violations: Violations): Registration {
  const { metadata } = request;
  const model = parseModelName(request.model, "model", violations);
  const number = parseNumber(request.number, violations);
  if (metadata !== undefined) validateMetadata(metadata, "metadata", violations);
  const requestId = request.requestId === "" ? undefined : parseRequestId(request.requestId, "request_id", violations);
  if (model === undefined || number === undefined) throw violations.toError();
  violations.throwIfAny();
  const dependencies = metadata === undefined ? [] : parseDependencies(metadata);
  if (number.kind === "explicit") refuseSelfReference({ model, version: number.version }, dependencies);
  return { model, number, metadata, dependencies, requestId };
}

function parseNumber(number: RegisterVersionRequest["number"], violations: Violations): RequestedNumber | undefined {
  if (number.case === "increment") {
    const rule = parseIncrement(number.value, "increment", violations);
    return rule && { kind: "increment", rule };
  }
  if (number.case === undefined) {
    violations.addInvalid("version", "is required; give a semantic version, such as 1.4.0, or an increment");
    return undefined;
  }
  const version = parseVersion(number.value, "version", violations);
  return version && { kind: "explicit", version };
}

/** Whether the version may be what the registration asked for; a repetition of a request asks for the same. */
export function mayBecome({ number }: Registration, version: Version): boolean {
  return number.kind === "explicit" ? number.version.text === version.text : mayResultIn(version, number.rule);
}

function parseDependencies(metadata: ModelMetadata): Dependency[] {
  const violations = new Violations();
  return metadata.dependencies.map((reference) => {
    const model = parseModelName(reference.model, "model", violations);
    const version = parseVersion(reference.version, "version", violations);
    if (model === undefined || version === undefined) throw violations.toError();
    return { model, version };
  });
}

function refuseSelfReference(self: Dependency, dependencies: readonly Dependency[]): void {
  const violations = new Violations();
  for (const [index, { model, version }] of dependencies.entries()) {
    if (model !== self.model || !hasSamePrecedence(version, self.version)) continue;
    violations.addInvalid(`metadata.dependencies[${index}]`, "is the version itself; name only earlier versions");
  }
  violations.throwIfAny();
}

function hasSamePrecedence(a: Version, b: Version): boolean {
  return Buffer.compare(encodePrecedence(a), encodePrecedence(b)) === 0;
}
