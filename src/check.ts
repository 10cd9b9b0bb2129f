// `stele check`: what a start would use and meet, without starting.

import { pino } from "pino";
import { openAccess } from "./access/open-access.ts";
import { effectiveSettings, readConfig } from "./config.ts";
import { checkDatabase } from "./store/open-store.ts";

/**
 * Says every setting in force, without secrets, and whether files and databases can be used.
 *
 * @throws ConfigError, AccessError, StoreError at the first that cannot.
 */
export async function checkSetup(environment: NodeJS.ProcessEnv, say: (text: string) => void): Promise<void> {
  const config = readConfig(environment);
  for (const { name, value, isDefault } of effectiveSettings(environment)) {
    say(`${name}=${value}${isDefault && value !== "" ? "  (default)" : ""}\n`);
  }
  const done = new AbortController();
  await openAccess(config.access, { log: pino({ level: "silent" }), signal: done.signal });
  done.abort();
  say("\nfiles: can be used\n");
  if (config.databaseUrl === undefined) return say("database: the embedded Postgres, which a start starts\n");
  say(`database: ${await checkDatabase(config.databaseUrl, config)}\n`);
  if (config.databaseReadUrl !== undefined) {
    say(`read replica: ${await checkDatabase(config.databaseReadUrl, config)}\n`);
  }
}
