// Importing this module lets calls have deadlines of any length. grpc-js holds a call's timeout in an int32
// of milliseconds, so that one beyond 24.8 days overflows and fails the call at once, or at a wrong time.
// The timer is set before any interceptor runs; only Node's own event, which is published before grpc-js
// sees the stream's headers, comes early enough. A longer timeout is dropped, as grpc-js's client does on
// its side: whoever set it still cancels the call when it passes.

import { subscribe } from "node:diagnostics_channel";
import type { IncomingHttpHeaders } from "node:http2";

const TIMEOUT_HEADER = "grpc-timeout";
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

// A timeout has at most eight digits, so that in smaller units it is always short enough.
const LONG_UNITS_MS = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1000],
]);

subscribe("http2.server.stream.created", (message) => {
  // Node documents the message; its types say unknown.
  const { headers } = message as { headers: IncomingHttpHeaders };
  const timeout = headers[TIMEOUT_HEADER];
  if (typeof timeout === "string" && isLong(timeout)) delete headers[TIMEOUT_HEADER];
});

function isLong(timeout: string): boolean {
  const unitMs = LONG_UNITS_MS.get(timeout.slice(-1)) ?? 0;
  return Number.parseInt(timeout, 10) * unitMs > MAX_TIMEOUT_MS;
}
