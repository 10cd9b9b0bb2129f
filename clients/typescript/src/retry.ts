// The one place that repeats calls, for unary calls and listings alike.

import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { RegistryError, registryErrorFrom } from "./errors.ts";
import { waitMs } from "./retry-decision.ts";

/** The failures of one call since it last got on, and until when it may be repeated. */
export interface Failures {
  readonly count: number;
  /** On the clock of performance.now(). */
  readonly deadline: number;
}

/**
 * Calls until an attempt succeeds or another cannot; all attempts share the timeout, and each gets what is left of it.
 *
 * @throws RegistryError, the failure of the last attempt.
 */
export async function callWithRetries<Answer>(
  attempt: (leftMs: number) => Promise<Answer>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (let count = 1; ; count++) {
    try {
      return await attempt(Math.max(1, Math.ceil(deadline - performance.now())));
    } catch (error) {
      await waitToRepeat(error, { count, deadline }, signal);
    }
  }
}

/**
 * Waits until the call may be repeated.
 *
 * @throws RegistryError at once, where another attempt cannot succeed or would begin after the deadline.
 */
export async function waitToRepeat(error: unknown, { count, deadline }: Failures, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw cancelled(signal);
  const delayMs = waitMs(ConnectError.from(error), count);
  if (delayMs === undefined || performance.now() + delayMs > deadline) throw registryErrorFrom(error);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    throw cancelled(signal);
  }
}

function cancelled({ reason }: AbortSignal): RegistryError {
  const message = reason instanceof Error ? reason.message : "the call was cancelled";
  return new RegistryError(message, { code: Code.Canceled, cause: reason });
}
