import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import type { Database } from "./database.ts";

const PATIENCE_MS = 2_000;

/** Whether the database answers a trivial query soon. */
export async function isReachable(database: Database): Promise<boolean> {
  const timeout = new AbortController();
  const answer = sql`select 1`.execute(database).then(
    () => true,
    () => false,
  );
  const silence = sleep(PATIENCE_MS, false, { signal: timeout.signal }).catch(() => false);
  try {
    return await Promise.race([answer, silence]);
  } finally {
    timeout.abort();
  }
}
