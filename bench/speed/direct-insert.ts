// The least that registering a version takes of the database: one named INSERT of the same columns into the same table.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";

/** As many as the service has. */
export const CONNECTIONS = 16;

/** A pool on the database of the benchmark. */
export function openPool(connectionString: string): pg.Pool {
  return new pg.Pool({ connectionString, max: CONNECTIONS });
}

const text = `insert into model_version
  (model, precedence, version, record, digest, registered_at, registered_by, attempt)
  values ($1, $2, $3, $4, $5, $6, '', $7)`;

const digest = Buffer.alloc(32);

/** Inserts a version; throws what the database answers when it is there already. */
export async function insertVersion(pool: pg.Pool, model: string, version: string, record: Buffer): Promise<void> {
  const precedence = encodePrecedence(parseKnownVersion(version));
  const values = [model, precedence, version, record, digest, new Date(), randomUUID()];
  await pool.query({ name: "insert", text, values });
}
