import { constants } from "node:http2";
import type { Kind } from "./input.ts";

/** How an input ended. */
export type Outcome =
  /** A gRPC status; the size is that of its message and its details, as they were sent. */
  | { readonly kind: "status"; readonly code: number; readonly message: string; readonly sizeBytes: number }
  /** A status of HTTP alone. */
  | { readonly kind: "http"; readonly status: number }
  /** RST_STREAM with this code. */
  | { readonly kind: "reset"; readonly code: number }
  /** The response ended, and there was no status. */
  | { readonly kind: "no status" }
  /** The server sent frames that no client can read. */
  | { readonly kind: "broken" }
  /** Nothing ended it in time. */
  | { readonly kind: "hang" }
  /** Its connection was torn down, by the server or for another input. */
  | { readonly kind: "torn down" }
  /** A connection of its own that the server closed, or on which it wrote something, or nothing. */
  | { readonly kind: "closed" | "answered" | "silent" }
  /** There is nobody to connect to; what becomes of the service is watched elsewhere. */
  | { readonly kind: "unreachable" };

const INTERNAL_CODES: ReadonlyMap<number, string> = new Map([
  [2, "UNKNOWN"],
  [13, "INTERNAL"],
  [15, "DATA_LOSS"],
]);

const { NGHTTP2_INTERNAL_ERROR: INTERNAL_ERROR } = constants;

/** Some clients drop trailers that are larger. */
const MAX_STATUS_BYTES = 8192;

/** What is wrong with the outcome of an input of this kind. */
export function findFault(kind: Kind, outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case "status":
      return findStatusFault(outcome);
    case "broken":
      return "the server breaks its connection by what it sends";
    case "no status":
      return "the response ended without a status";
    case "hang":
      return "the call did not end in time";
    case "reset":
      return outcome.code === INTERNAL_ERROR ? "the stream was reset with INTERNAL_ERROR" : undefined;
    case "torn down":
      return kind === "messages" ? "the connection of calls that keep the rules was torn down" : undefined;
    default:
      return undefined;
  }
}

function findStatusFault({ code, message, sizeBytes }: Outcome & { kind: "status" }): string | undefined {
  const name = INTERNAL_CODES.get(code);
  if (name !== undefined) return `grpc-status ${code} ${name}: ${message}`;
  if (sizeBytes <= MAX_STATUS_BYTES) return undefined;
  return `grpc-status ${code} with too large a message and details: ${message.slice(0, 100)} (${sizeBytes} bytes)`;
}

/** The outcome as it is counted. */
export function nameOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "status":
      return `grpc-status ${outcome.code}`;
    case "http":
      return `HTTP ${outcome.status}`;
    case "reset":
      return `stream reset, code ${outcome.code}`;
    default:
      return outcome.kind;
  }
}
