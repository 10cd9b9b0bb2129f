// Follows whether the databases answer: for the health, the log and the metrics, and for their statements, which fail at
// once while one is silent.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { connectionsOf } from "./store/connections.ts";
import type { Database } from "./store/database.ts";
import type { Store } from "./store/open-store.ts";
import { ReachabilityProbe } from "./store/reachability.ts";
import type { Instruments, Readings } from "./telemetry/instruments.ts";

// With the patience of the probe: within a second it is known that the database has gone.
const INTERVAL_MS = 200;

interface WatchOptions {
  /** Told each time whether the service can serve: whether the primary answers. */
  readonly report: (isReady: boolean) => void;
  readonly instruments: Instruments;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What is known of the databases, until the signal has ended it. */
export interface DatabaseWatch {
  readonly readings: Pick<Readings, "pools" | "reachable">;
  readonly ended: Promise<unknown>;
}

/** Watches the databases of a store until the signal aborts. */
export function watchDatabases({ database, replica }: Store, options: WatchOptions): DatabaseWatch {
  const { report, instruments, log, signal } = options;
  const databases = { primary: database, ...(replica && { replica }) };
  const reachable: Record<string, boolean> = {};
  const watches = Object.entries(databases).map(([name, each]) => {
    const connections = connectionsOf(each);
    if (connections !== undefined) connections.onFailure = (code) => instruments.databaseFailed(name, code);
    const note = (isReachable: boolean) => {
      if (name === "primary") report(isReachable);
      else if (reachable[name] !== isReachable)
        log.info(isReachable ? "the read replica answers" : "the read replica does not answer");
      reachable[name] = isReachable;
    };
    return watch(each, note, signal);
  });
  const pools = () =>
    Object.entries(databases).flatMap(([name, each]) => {
      const use = connectionsOf(each)?.use();
      return use === undefined ? [] : [{ name, ...use }];
    });
  return { readings: { pools, reachable: () => reachable }, ended: Promise.all(watches) };
}

async function watch(database: Database, note: (isReachable: boolean) => void, signal: AbortSignal): Promise<void> {
  const probe = new ReachabilityProbe(database);
  while (!signal.aborted) {
    const isReachable = await probe.isReachable();
    if (!signal.aborted) note(isReachable);
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}
