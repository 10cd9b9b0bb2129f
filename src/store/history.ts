import type pg from "pg";

/**
 * Which rows a connection leads to, as far as a server can tell: another value where a standby took over, where a backup,
 * a snapshot or a dump was put in the place of what was there, and after each start. undefined is unknown: a standby may
 * get another history at any time.
 */
export type History = string | undefined;

// All of it is in the memory of the server. pg_control_system() has an identifier too, and waits for the disk: for seconds
// during a checkpoint on a busy one.
const text = `
  select concat_ws(' ', left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
    extract(epoch from pg_postmaster_start_time()),
    (select oid from pg_database where datname = current_database()), to_regclass('model_version')::oid) as history
  where not pg_is_in_recovery()`;

const TIMEOUT_MS = 5_000;

/** Asks a connection where it leads; rejects when it fails, or when the engine cannot tell. */
export async function readHistory(connection: pg.ClientBase | pg.Pool): Promise<History> {
  // pg takes a time-out for one query, and does not declare it.
  const { rows } = await connection.query({ text, query_timeout: TIMEOUT_MS } as pg.QueryConfig);
  return rows[0]?.history;
}

/** Whether the engine said that it cannot tell: it lacks what is asked for, or allows nobody to ask. */
export function isUntold(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(42|0A)...$/.test(String(error.code));
}
