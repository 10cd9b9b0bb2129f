import type pg from "pg";

/**
 * Which history of which database a connection leads to: its system identifier and its timeline, which begins anew where
 * a standby or a backup takes over. undefined is unknown: a standby may change its own at any time.
 */
export type History = string | undefined;

const text = `
  select system_identifier || ' ' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as history
  from pg_control_system() where not pg_is_in_recovery()`;

const TIMEOUT_MS = 5_000;

/** Asks a connection where it leads; rejects when it fails, or when the engine cannot tell. */
export async function readHistory(connection: pg.ClientBase | pg.Pool): Promise<History> {
  // pg takes a time-out for one query, and does not declare it.
  const { rows } = await connection.query({ text, query_timeout: TIMEOUT_MS } as pg.QueryConfig);
  return rows[0]?.history;
}
