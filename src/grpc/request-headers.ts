// Importing this module corrects the headers of requests before grpc-js sees them, in what it does not check. Only Node's
// own event, which is published before grpc-js gets the stream, comes early enough.

import { subscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders } from "node:http2";

/** Answered by grpc-js as a timeout that is none, which `grpc-js-status.ts` puts into the words of this service. */
const NO_TIMEOUT = "none";

/** Longer than any method's path, which grpc-js repeats in its answer. */
const MAX_PATH_LENGTH = 256;

subscribe("http2.server.stream.created", (message) => {
  // Node documents the message; its types say unknown.
  const { headers } = message as { headers: IncomingHttpHeaders };
  correctTimeout(headers);
  const path = headers[":path"] ?? "";
  if (path.length > MAX_PATH_LENGTH || !/^[!-~]+$/.test(path)) headers[":path"] = "/";
  // A value with other characters grpc-js would drop, and the caller with it.
  const { authorization } = headers;
  if (authorization !== undefined && !/^[ -~]*$/.test(authorization)) headers.authorization = "malformed";
  // What is no gRPC call is 415 to grpc-js; a HEAD it would carry out.
  if (headers[":method"] !== "POST") delete headers["content-type"];
});

const TIMEOUT_HEADER = "grpc-timeout";
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

// A timeout has at most eight digits, so that in smaller units it is always short enough.
const LONG_UNITS_MS = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1000],
]);

// grpc-js holds a call's timeout in an int32 of milliseconds, so that one beyond 24.8 days overflows and fails the call at
// once, or at a wrong time. It is dropped, as grpc-js's client does on its side: whoever set it still cancels the call when
// it passes. And grpc-js takes a text for a timeout that only contains one.
function correctTimeout(headers: IncomingHttpHeaders): void {
  const timeout = headers[TIMEOUT_HEADER];
  if (timeout === undefined) return;
  if (typeof timeout !== "string" || !/^\d{1,8}[HMSmun]$/.test(timeout)) headers[TIMEOUT_HEADER] = NO_TIMEOUT;
  else if (isLong(timeout)) delete headers[TIMEOUT_HEADER];
}

function isLong(timeout: string): boolean {
  const unitMs = LONG_UNITS_MS.get(timeout.slice(-1)) ?? 0;
  return Number.parseInt(timeout, 10) * unitMs > MAX_TIMEOUT_MS;
}
