// The failures of a call, whatever it is about: who makes it, whether there is a place for it, whether its message can be had,
// and whether anybody still waits for its answer. Their reasons are in errors.ts with all others.

import { RegistryError } from "./errors.ts";
import { quote } from "./quote.ts";

/** The call shows nothing that tells who makes it. */
export function credentialsMissing(): RegistryError {
  const message =
    "the call has neither a bearer token in its authorization header nor a client certificate that this service trusts; " +
    "send one, docs/security.md shows how";
  return new RegistryError("CREDENTIALS_MISSING", message);
}

/** What may be wrong with credentials; the values are API, as reasons are. */
export type CredentialsProblem =
  | "malformed"
  | "too_long"
  | "unknown"
  | "expired"
  | "not_yet_valid"
  | "wrong_issuer"
  | "wrong_audience"
  | "wrong_algorithm"
  | "wrong_signature"
  | "wrong_claims"
  | "invalid_name";

/** The credentials of the call are no good. The description holds nothing of them. */
export function credentialsInvalid(problem: CredentialsProblem, description: string): RegistryError {
  return new RegistryError("CREDENTIALS_INVALID", `the credentials are not accepted: ${description}`, {
    metadata: { problem, description },
  });
}

/** No role of the caller lets them read anything. */
export function readingDenied(caller: string): RegistryError {
  const message = `${quote(caller)} may not read any model; ask for the role reader in the policy of the service`;
  return new RegistryError("PERMISSION_DENIED", message, { metadata: { caller, role: "reader" } });
}

/** No role of the caller lets them register versions of the model. */
export function registeringDenied(caller: string, model: string): RegistryError {
  const message =
    `${quote(caller)} may not register versions of ${quote(model)}; ` +
    "ask for the role registrar on it in the policy of the service";
  return new RegistryError("PERMISSION_DENIED", message, { metadata: { caller, role: "registrar", model } });
}

/** The keys of the token issuer cannot be had, so that no token can be checked; the request may be repeated. */
export function authenticationUnavailable(cause: unknown): RegistryError {
  const message = "the keys of the token issuer are not available, so that tokens cannot be checked; try again shortly";
  return new RegistryError("AUTHENTICATION_UNAVAILABLE", message, { retryDelayMs: 1000, cause });
}

/** This replica has as many calls of the kind in flight as it takes; nothing was done. */
export function tooManyCalls(kind: string, limit: number): RegistryError {
  const message = `this replica has ${limit} ${kind} in flight and takes no more; try again shortly, with backoff`;
  return new RegistryError("TOO_MANY_CALLS", message, {
    metadata: { kind, limit: String(limit) },
    retryDelayMs: 1000,
  });
}

/** The request message is larger than any may be. */
export function requestTooLarge(): RegistryError {
  const message =
    "the request is larger than the method takes; a record has at most 1 MiB, keep what is larger as an artifact";
  return new RegistryError("REQUEST_TOO_LARGE", message);
}

/** The request message did not arrive in time. */
export function requestTimeout(seconds: number): RegistryError {
  const message = `the request message did not arrive whole within ${seconds} s; send it at once`;
  return new RegistryError("REQUEST_TIMEOUT", message, { metadata: { seconds: String(seconds) } });
}

/** The health of a service was asked for that is not one of this process (grpc.health.v1). */
export function serviceNotFound(service: string): RegistryError {
  const message = `the service ${quote(service)} is none of this process; ask for the empty name, or those that List answers`;
  return new RegistryError("SERVICE_NOT_FOUND", message, { metadata: { service } });
}

/** The call is made in a way that the service does not speak. */
export function unsupportedRequest(): RegistryError {
  const message =
    "the call has another number of messages than one, or a compression other than gzip, deflate or identity; " +
    "generate the client from the proto that the service serves";
  return new RegistryError("UNSUPPORTED_REQUEST", message);
}

/** The request's bytes are not the expected message. */
export function undecodableRequest(cause: unknown): RegistryError {
  const message = "the request cannot be decoded; generate the client from the proto that the service serves";
  return new RegistryError("UNDECODABLE_REQUEST", message, { cause });
}

/** This replica is stopping; another one, or this one after its restart, answers. */
export function shuttingDown(): RegistryError {
  return new RegistryError("SHUTTING_DOWN", "the service is shutting down; try again", { retryDelayMs: 1000 });
}

/** The call's deadline passed before the answer was there. */
export function deadlineExceeded(): RegistryError {
  return new RegistryError("DEADLINE_EXCEEDED", "the deadline of the call passed");
}

/** The caller cancelled the call. */
export function cancelled(): RegistryError {
  return new RegistryError("CANCELLED", "the call was cancelled by the caller");
}
