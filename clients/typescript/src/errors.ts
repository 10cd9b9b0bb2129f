// What a call fails with. The reason and the metadata come from the google.rpc.ErrorInfo of the service; docs/errors.md
// lists them.

import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { isBroken } from "./retry-decision.ts";

/** What is known of a failure beside its message. */
export interface Failure {
  /** The gRPC code. */
  readonly code: Code;
  /** One of docs/errors.md; empty where the failure does not come from the service. */
  readonly reason?: string;
  /** What is dynamic in the message, by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** The failure of a call: branch on its code or, finer, on its reason, never on its message. */
export class RegistryError extends Error {
  override readonly name: string = "RegistryError";
  /** The gRPC code. A connection that cannot be opened or breaks has Code.Unavailable. */
  readonly code: Code;
  /** One of docs/errors.md, such as `NO_BASE_VERSION`; empty where the failure does not come from the service. */
  readonly reason: string;
  /** What is dynamic in the message, by name; docs/errors.md has the names for each reason. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, { code, reason = "", metadata = {}, cause }: Failure) {
    super(message, { cause });
    this.code = code;
    this.reason = reason;
    this.metadata = metadata;
  }
}

/** The version is taken, also when only its build metadata differs. With a request id it is never your own attempt. */
export class VersionAlreadyExistsError extends RegistryError {
  override readonly name = "VersionAlreadyExistsError";
  /** The model's name. */
  readonly model: string | undefined;
  /** The version that was to be registered. */
  readonly version: string | undefined;
  /** The version as it is stored, build metadata included; like all that follows absent if you may not read the model. */
  readonly existingVersion: string | undefined;
  /** The digest of the stored record. */
  readonly existingDigest: string | undefined;
  /** When the stored version was registered, by the service's clock. */
  readonly registeredAt: Date | undefined;
  /** Whether the stored content is yours. */
  readonly identical: boolean | undefined;

  constructor(message: string, failure: Failure) {
    super(message, failure);
    const { model, version, existing_version, existing_digest, registered_at, identical } = this.metadata;
    this.model = model;
    this.version = version;
    this.existingVersion = existing_version;
    this.existingDigest = existing_digest;
    this.registeredAt = registered_at === undefined ? undefined : new Date(registered_at);
    this.identical = identical === undefined ? undefined : identical === "true";
  }
}

/** The model has no versions, or not this one, or none in the range; what you may not read looks like this too. */
export class NotFoundError extends RegistryError {
  override readonly name = "NotFoundError";
  /** The model's name. */
  readonly model: string | undefined;
  /** The version that was asked for, if it was one. */
  readonly version: string | undefined;
  /** The range that was asked for, if it was one. */
  readonly range: string | undefined;
  /** The highest version below the range. */
  readonly nearestBelow: string | undefined;
  /** The lowest version above the range. */
  readonly nearestAbove: string | undefined;
  /** The highest prerelease that the range would hold with Prereleases.INCLUDE. */
  readonly nearestPrerelease: string | undefined;

  constructor(message: string, failure: Failure) {
    super(message, failure);
    const { model, version, range, nearest_below, nearest_above, nearest_prerelease } = this.metadata;
    this.model = model;
    this.version = version;
    this.range = range;
    this.nearestBelow = nearest_below;
    this.nearestAbove = nearest_above;
    this.nearestPrerelease = nearest_prerelease;
  }
}

/** A field of a request that breaks its rule. */
export interface Violation {
  /** Its path in the names of the proto, such as `metadata.artifacts[2].digest`. */
  readonly field: string;
  readonly description: string;
}

/** The request breaks a rule; nothing was stored. */
export class InvalidArgumentError extends RegistryError {
  override readonly name = "InvalidArgumentError";
  /** The violated fields. */
  readonly violations: readonly Violation[];
  /** How many more did not fit. */
  readonly violationsOmitted: number;

  constructor(message: string, failure: Failure & { readonly violations: readonly Violation[] }) {
    super(message, failure);
    const { violations_omitted } = this.metadata;
    this.violations = failure.violations;
    this.violationsOmitted = Number(violations_omitted ?? 0);
  }
}

/** The typed error for what a call of the generated stub fails with. */
export function registryErrorFrom(cause: unknown): RegistryError {
  if (cause instanceof RegistryError) return cause;
  const error = ConnectError.from(cause);
  const message = error.rawMessage || messageOf(error.cause);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "stele");
  const code = isBroken(error) ? Code.Unavailable : error.code;
  const failure = { code, reason: info?.reason ?? "", metadata: info?.metadata ?? {}, cause };
  if (code === Code.InvalidArgument) {
    return new InvalidArgumentError(message, { ...failure, violations: violationsOf(error) });
  }
  switch (failure.reason) {
    case "VERSION_ALREADY_EXISTS":
      return new VersionAlreadyExistsError(message, failure);
    case "MODEL_NOT_FOUND":
    case "VERSION_NOT_FOUND":
      return new NotFoundError(message, failure);
    default:
      return new RegistryError(message, failure);
  }
}

/** Where each address of a name failed, the text is in the errors of the addresses. */
function messageOf(cause: unknown): string {
  return cause instanceof AggregateError ? cause.errors.map(({ message }) => message).join("; ") : "";
}

function violationsOf(error: ConnectError): Violation[] {
  const details = error.findDetails(BadRequestSchema);
  return details.flatMap(({ fieldViolations }) =>
    fieldViolations.map(({ field, description }) => ({ field, description })),
  );
}
