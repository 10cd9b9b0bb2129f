// The one place that repeats calls, for unary calls and listings alike.

import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { RegistryError, registryErrorFrom } from "./errors.ts";
import { timedOut } from "./linked-abort.ts";
import { waitMs } from "./retry-decision.ts";

/** How much earlier than here the service may find that the deadline passed. */
const clockSkewMs = 50;

/** The failures of one call since it last got on, and until when it may be repeated. */
export interface Failures {
  readonly count: number;
  /** On the clock of performance.now(). */
  readonly deadline: number;
  /** The last of them that another attempt followed. */
  readonly before?: unknown;
}

/** To whom a call goes, and what ends it. */
export interface Limits {
  readonly address: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Calls until an attempt succeeds or another cannot; all attempts share the timeout, and each gets what is left of it.
 *
 * @throws RegistryError, the failure of the last attempt.
 */
export async function callWithRetries<Answer>(
  attempt: (leftMs: number) => Promise<Answer>,
  limits: Limits,
): Promise<Answer> {
  const deadline = performance.now() + limits.timeoutMs;
  let before: unknown;
  for (let count = 1; ; count++) {
    try {
      return await attempt(Math.max(1, Math.ceil(deadline - performance.now())));
    } catch (error) {
      await waitToRepeat(error, { count, deadline, before }, limits);
      before = error;
    }
  }
}

/**
 * Waits until the call may be repeated.
 *
 * @throws RegistryError at once, where another attempt cannot succeed or would begin after the deadline.
 */
export async function waitToRepeat(error: unknown, failures: Failures, limits: Limits): Promise<void> {
  const { signal } = limits;
  if (signal.aborted) throw cancelled(signal);
  const delayMs = waitMs(ConnectError.from(error), failures.count);
  if (delayMs === undefined || performance.now() + delayMs > failures.deadline) throw told(error, failures, limits);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    throw cancelled(signal);
  }
}

/** A failure on the way to the service names its address, and a deadline what was tried before it. */
function told(cause: unknown, { deadline, before }: Failures, { address, timeoutMs }: Limits): RegistryError {
  const error = registryErrorFrom(cause);
  const { code, reason } = error;
  if (reason !== "" || !(code === Code.Unavailable || code === Code.DeadlineExceeded)) return error;
  let { message } = error;
  if (code === Code.DeadlineExceeded && performance.now() > deadline - clockSkewMs) {
    const waited = `no answer within ${timeoutMs / 1_000} s`;
    message = message.includes(timedOut) ? message.replace(timedOut, waited) : waited;
    if (before !== undefined) message += `; the attempt before failed: ${textOf(registryErrorFrom(before))}`;
  }
  return new RegistryError(`${address}: ${message}`, { code, cause });
}

function textOf({ code, message }: RegistryError): string {
  return `${Code[code]}: ${message}`;
}

function cancelled({ reason }: AbortSignal): RegistryError {
  const message = reason instanceof Error ? reason.message : "the call was cancelled";
  return new RegistryError(message, { code: Code.Canceled, cause: reason });
}
