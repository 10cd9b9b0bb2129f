// What an error of the driver says about the database, by SQLSTATE where there is one.

import { RegistryError } from "../domain/errors.ts";
import { DatabaseAwayError } from "./availability.ts";

/** SQLSTATE read_only_sql_transaction: the database is a standby. */
export const READ_ONLY = "25006";

/**
 * Whether a statement that failed with this error may have been carried out all the same: the connection was lost
 * after it was made, and with it the answer.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof RegistryError) || error.reason !== "DATABASE_UNAVAILABLE") return false;
  const { cause } = error;
  if (cause instanceof DatabaseAwayError) return cause.wasUnderWay;
  if (!(cause instanceof Error)) return true;
  const code = codeOf(cause) ?? "";
  return !refusals.has(code) && !refusals.has(cause.message) && !isIncapable(code);
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
 * The code of a failure of the database, for whoever operates it; undefined for an error that is about the statement. It
 * could not be reached or went away, or it could not do what it is asked to and refused.
 */
export function failureOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (isConnectionFailure(error)) return code ?? "connection";
  return code !== undefined && isIncapable(code) ? code : undefined;
}

/**
 * Whether an error of the driver means that the database could not be reached or went away: classes 08
 * (connection) and 57P (shutdown, crash, starting up) of SQLSTATE, a full server (53300), or a socket that
 * failed. After such an error the outcome of a statement that was already sent is unknown.
 */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseAwayError) return true;
  const code = codeOf(error) ?? "";
  return /^(08...|57P0[1235]|53300)$/.test(code) || isSocketError(code) || driverTexts.has(error.message);
}

// Disk full, out of memory, a limit of the server; a standby; waiting too long; an I/O error. It answered: it did nothing.
function isIncapable(code: string): boolean {
  return /^(53(000|100|200|400)|58...)$/.test(code) || code === READ_ONLY || timeouts.has(code);
}

// statement_timeout, lock_timeout.
const timeouts = new Set(["57014", "55P03"]);

/** Whether a statement was refused because it waited for too long, such as for the row of another session. */
export function hasWaitedTooLong(error: unknown): boolean {
  if (!(error instanceof RegistryError) || !(error.cause instanceof Error)) return false;
  return timeouts.has(codeOf(error.cause) ?? "");
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

// Of the system (ECONNRESET), of TLS (ERR_SSL_…), of certificates (CERT_HAS_EXPIRED). A SQLSTATE has five characters, of
// which EPIPE is none.
function isSocketError(code: string): boolean {
  return /^(E[A-Z]{3,}|E[A-Z]+_[A-Z]+|ERR_(SSL|TLS|SOCKET|STREAM)_\w+|CERT_\w+|UNABLE_TO_\w+|\w*SELF_SIGNED_CERT\w*)$/.test(
    code,
  );
}

/** What pg says when an answer does not come in time. */
export const QUERY_TIMEOUT_TEXT = "Query read timeout";

// pg gives these no code.
const driverTexts = new Set([
  QUERY_TIMEOUT_TEXT,
  "Connection terminated",
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "timeout exceeded when trying to connect",
  "timeout expired",
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable",
]);
