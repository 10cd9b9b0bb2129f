import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "./store/database.ts";
import { ReachabilityProbe } from "./store/reachability.ts";

const INTERVAL_MS = 1_000;

/** Reports whether the database answers, now and then once a second, until the signal aborts. */
export async function watchReadiness(
  database: Database,
  report: (isReady: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const probe = new ReachabilityProbe(database);
  while (!signal.aborted) {
    const isReady = await probe.isReachable();
    if (!signal.aborted) report(isReady);
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}
