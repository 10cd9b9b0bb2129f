import type { ColumnType } from "kysely";
import type { ModelName } from "../domain/model-name.ts";
import type { RequestId } from "../domain/request-id.ts";

/** A row of `model_version`: written once by one INSERT, never changed. */
export interface ModelVersionTable {
  model: ModelName;
  /** The precedence key (domain/precedence.ts): byte order is SemVer precedence. */
  precedence: Uint8Array;
  /** The version as it was registered, build metadata included. */
  version: string;
  /** The serialized ModelVersion message, handed to the wire as it is. */
  record: Uint8Array;
  /** SHA-256, 32 bytes. */
  digest: Uint8Array;
  registered_at: Date;
  registered_by: string;
  /** A UUID made for each call, by which a call recognises its own row. */
  attempt: string;
  /** Unique in its model where it is not null. */
  request_id: RequestId | null;
}

/** A row of `stele_migration`: one for each migration that was applied. */
export interface MigrationTable {
  version: number;
  name: string;
  applied_at: ColumnType<Date, never, never>;
}

/** The tables as Kysely sees them; a test compares them with the migrated database. */
export interface Tables {
  model_version: ModelVersionTable;
  stele_migration: MigrationTable;
}
