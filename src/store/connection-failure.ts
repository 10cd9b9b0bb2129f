import { RegistryError } from "../domain/errors.ts";

/**
 * Whether a statement that failed with this error may have been carried out all the same: the connection was lost
 * after it was made, and with it the answer.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof RegistryError) || error.reason !== "DATABASE_UNAVAILABLE") return false;
  const { cause } = error;
  if (!(cause instanceof Error)) return true;
  const code = "code" in cause ? String(cause.code) : "";
  return !refusals.has(code) && !refusals.has(cause.message);
}

// With these no connection was made, so that nothing was sent.
const refusals = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "53300",
  "57P03",
  "timeout exceeded when trying to connect",
  "Connection terminated due to connection timeout",
]);

/**
 * Whether an error of the driver means that the database could not be reached or went away: classes 08
 * (connection) and 57P (shutdown, crash, starting up) of SQLSTATE, a full server (53300), or a socket that
 * failed. After such an error the outcome of a statement that was already sent is unknown.
 */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return /^(08...|57P0[1235]|53300)$/.test(code) || socketErrors.has(code) || driverTexts.has(error.message);
}

const socketErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

// pg gives these no code.
const driverTexts = new Set([
  "Connection terminated",
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "timeout exceeded when trying to connect",
  "timeout expired",
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable",
]);
