import { sql } from "kysely";
import type { Database } from "../../src/store/database.ts";
import type { ModelVersionTable } from "../../src/store/schema.ts";

const BATCH = 5_000;

/** Writes many rows with few statements, past the service, to make a large model in seconds. */
export async function insertRows(database: Database, rows: readonly ModelVersionTable[]): Promise<void> {
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH);
    const column = <K extends keyof ModelVersionTable>(name: K) => batch.map((row) => row[name]);
    await sql`
      insert into model_version
        (model, precedence, version, record, digest, registered_at, registered_by, attempt)
      select * from unnest(${column("model")}::text[], ${column("precedence")}::bytea[], ${column("version")}::text[],
        ${column("record")}::bytea[], ${column("digest")}::bytea[], ${column("registered_at")}::timestamptz[],
        ${column("registered_by")}::text[], ${column("attempt")}::uuid[])`.execute(database);
  }
}
