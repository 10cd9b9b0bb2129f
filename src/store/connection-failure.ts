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
