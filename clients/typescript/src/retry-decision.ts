import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "./gen/google/rpc/error_details_pb.ts";

const repeatedCodes: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted]);

// What connect-node calls a connection that was reset, closed or cut in the middle of a message.
const brokenCodes: ReadonlySet<Code> = new Set([
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.InvalidArgument,
  Code.ResourceExhausted,
  Code.Unavailable,
]);

/**
 * Whether a connection broke, or could not be opened. An answer, of the service or of a load balancer, has headers;
 * what connect-node says of a connection has none. The caller's own cancellation has to be told apart before.
 */
export function isBroken({ code, metadata }: ConnectError): boolean {
  return brokenCodes.has(code) && metadata.keys().next().done === true;
}

/** How long to wait before the call is repeated, in milliseconds; undefined where another attempt cannot succeed. */
export function waitMs(error: ConnectError, failures: number): number | undefined {
  const askedMs = retryDelayMs(error);
  const repeats = askedMs !== undefined || repeatedCodes.has(error.code) || isBroken(error);
  return repeats ? Math.max(backoffMs(failures), askedMs ?? 0) : undefined;
}

/** The wait after so many failures, from 1: 100 ms, doubled with each, at most 5 s, give or take a fifth. */
export function backoffMs(failures: number, random: number = Math.random()): number {
  return Math.min(100 * 2 ** (failures - 1), 5_000) * (0.8 + 0.4 * random);
}

/** What the service asks for in google.rpc.RetryInfo. */
function retryDelayMs(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  if (info === undefined) return undefined;
  const { seconds = 0n, nanos = 0 } = info.retryDelay ?? {};
  return Number(seconds) * 1_000 + nanos / 1e6;
}
