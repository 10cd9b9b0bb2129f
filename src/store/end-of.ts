import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when the work has ended, one way or the other, or after the time. */
export async function endOf(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  const timer = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: timer.signal });
  await Promise.race([work, timeout]).catch(ignore);
  timer.abort();
  await timeout.catch(ignore);
}

function ignore(): void {}
