// Everything that is asked of the table `model_version`. A row is written by one INSERT and never changes;
// whether a version is taken is decided by the primary key, never by a look before.

import { sql } from "kysely";
import { RegistryError } from "../domain/errors.ts";
import type { ModelName } from "../domain/model-name.ts";
import type { RequestId } from "../domain/request-id.ts";
import type { KeyInterval } from "../domain/version-range.ts";
import { connectionsOf } from "./connections.ts";
import type { Database } from "./database.ts";
import type { ModelVersionTable } from "./schema.ts";
import { type Param, statement } from "./statement.ts";

/** A version of a model, as the primary key has it. */
export type VersionKey = Pick<ModelVersionTable, "model" | "precedence">;

/** What is asked about a version that is in the way of another. */
export type ExistingRow = Pick<ModelVersionTable, "version" | "digest" | "registered_at" | "attempt">;

interface DependencyParams {
  readonly dependency_models: readonly string[];
  readonly dependency_keys: readonly Uint8Array[];
}

const columns = [
  "model",
  "precedence",
  "version",
  "record",
  "digest",
  "registered_at",
  "registered_by",
  "attempt",
  "request_id",
] as const satisfies (keyof ModelVersionTable)[];

const columnNames = sql.join(columns.map((column) => sql.ref(column)));

type Rows = Readonly<Record<string, ModelVersionTable[keyof ModelVersionTable]>>;

// Of two rows of one statement that are in each other's way the first is inserted.
const insertStatementOf = (count: number) =>
  statement<Rows, { attempt: string }>((db, param) => {
    const values = Array.from({ length: count }, (_, index) =>
      sql.join(columns.map((column) => sql`${param(paramOf(column, index))}`)),
    );
    return {
      compile: () =>
        sql<{ attempt: string }>`
          insert into model_version (${columnNames})
          values (${sql.join(values, sql`), (`)})
          on conflict do nothing
          returning attempt`.compile(db),
    };
  });

/** By the number of their rows. */
const insertStatements = new Map<number, ReturnType<typeof insertStatementOf>>();

function paramOf(column: string, index: number): string {
  return `${column} ${index}`;
}

// One statement, so that the dependencies are looked up in the view of the very transaction that inserts.
const insertDependentStatement = statement<ModelVersionTable & DependencyParams, never>((db, param) => ({
  compile: () =>
    sql<never>`
      insert into model_version (${columnNames})
      select ${param("model")}::text, ${param("precedence")}::bytea, ${param("version")}::text,
        ${param("record")}::bytea, ${param("digest")}::bytea, ${param("registered_at")}::timestamptz,
        ${param("registered_by")}::text, ${param("attempt")}::uuid, ${param("request_id")}::uuid
      where not exists (${missingDependencies(param)})
      on conflict do nothing`.compile(db),
}));

const missingStatement = statement<DependencyParams, { index: number }>((db, param) => ({
  compile: () => sql<{ index: number }>`${missingDependencies(param)} order by index`.compile(db),
}));

function missingDependencies(param: Param<DependencyParams>) {
  return sql`
    select (dependency.place - 1)::integer as index
    from unnest(${param("dependency_models")}::text[], ${param("dependency_keys")}::bytea[])
      with ordinality as dependency (model, precedence, place)
    where not exists (
      select from model_version
      where model_version.model = dependency.model and model_version.precedence = dependency.precedence
    )`;
}

/**
 * Stores versions, durably once this resolves, and answers the attempts of those that were stored; the others are taken, or
 * their request ids were used before.
 */
export async function insertVersions(
  database: Database,
  rows: readonly ModelVersionTable[],
): Promise<ReadonlySet<string>> {
  let insert = insertStatements.get(rows.length);
  if (insert === undefined) {
    insert = insertStatementOf(rows.length);
    insertStatements.set(rows.length, insert);
  }
  const params: Record<string, Rows[string]> = {};
  // In the order of the primary key: two statements that insert the same rows would else wait for each other. Where request
  // ids do that all the same, Postgres fails one of them after a second, and its rows are written one by one.
  for (const [index, row] of rows.toSorted(byKey).entries()) {
    for (const column of columns) params[paramOf(column, index)] = row[column];
  }
  const stored = await insert(database, params);
  return new Set(stored.rows.map(({ attempt }) => attempt));
}

function byKey(a: ModelVersionTable, b: ModelVersionTable): number {
  return a.model < b.model ? -1 : a.model > b.model ? 1 : Buffer.compare(a.precedence, b.precedence);
}

/** Stores a version as `insertVersions` does; false also when one of the dependencies is not registered. */
export async function insertVersion(
  database: Database,
  row: ModelVersionTable,
  dependencies: readonly VersionKey[] = [],
): Promise<boolean> {
  if (dependencies.length === 0) return (await insertVersions(database, [row])).has(row.attempt);
  const { numAffectedRows } = await insertDependentStatement(database, { ...row, ...toParams(dependencies) });
  return numAffectedRows === 1n;
}

/** The indexes of those versions that are not registered. */
export async function findMissing(database: Database, dependencies: readonly VersionKey[]): Promise<number[]> {
  if (dependencies.length === 0) return [];
  const { rows } = await missingStatement(database, toParams(dependencies));
  return rows.map(({ index }) => index);
}

function toParams(dependencies: readonly VersionKey[]): DependencyParams {
  return {
    dependency_models: dependencies.map(({ model }) => model),
    dependency_keys: dependencies.map(({ precedence }) => precedence),
  };
}

const recordStatement = statement<VersionKey, { record: Buffer }>((db, param) =>
  db
    .selectFrom("model_version")
    .select("record")
    .where("model", "=", param("model"))
    .where("precedence", "=", param("precedence"))
    .$castTo<{ record: Buffer }>(),
);

/** The serialized record of a version. */
export async function findRecord(
  database: Database,
  key: VersionKey,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { rows } = await recordStatement(database, key, signal);
  return rows[0]?.record;
}

// A replica makes readers wait while it replays what locks a table.
const REPLICA_PATIENCE_MS = 300;

/**
 * The serialized record of a version on a replica; undefined when that does not have it yet, or does not say so soon. What
 * fails there is counted, and concerns no caller.
 */
export async function findCopy(
  replica: Database,
  key: VersionKey,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const patience = new AbortController();
  const silence = Promise.withResolvers<undefined>();
  const giveUp = () => {
    patience.abort(signal.reason);
    silence.resolve(undefined);
  };
  const timer = setTimeout(giveUp, REPLICA_PATIENCE_MS);
  signal.addEventListener("abort", giveUp);
  const copy = await Promise.race([readCopy(replica, key, patience.signal), silence.promise]);
  signal.removeEventListener("abort", giveUp);
  clearTimeout(timer);
  signal.throwIfAborted();
  return copy;
}

async function readCopy(replica: Database, key: VersionKey, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await findRecord(replica, key, signal);
  } catch (error) {
    // Failures of the database have been counted.
    if (!(error instanceof RegistryError) && !signal.aborted) connectionsOf(replica)?.onFailure(codeOf(error));
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

const existingStatement = statement<VersionKey, ExistingRow>((db, param) =>
  db
    .selectFrom("model_version")
    .select(["version", "digest", "registered_at", "attempt"])
    .where("model", "=", param("model"))
    .where("precedence", "=", param("precedence")),
);

/** What is registered under a version that somebody tried to register again. */
export async function findExisting(database: Database, key: VersionKey): Promise<ExistingRow | undefined> {
  const { rows } = await existingStatement(database, key);
  return rows[0];
}

/** What a request id was used for. */
export type RequestedRow = Pick<ModelVersionTable, "version" | "digest" | "record">;

const requestedStatement = statement<{ model: ModelName; request_id: RequestId }, RequestedRow>((db, param) =>
  db
    .selectFrom("model_version")
    .select(["version", "digest", "record"])
    .where("model", "=", param("model"))
    .where("request_id", "=", param("request_id")),
);

/** What the request id was used for before, in this model. */
export async function findByRequestId(
  database: Database,
  model: ModelName,
  requestId: RequestId,
): Promise<RequestedRow | undefined> {
  const { rows } = await requestedStatement(database, { model, request_id: requestId });
  return rows[0];
}

const modelStatement = statement<{ model: ModelName }, { found: number }>((db, param) =>
  db
    .selectFrom("model_version")
    .select(sql.lit(1).as("found"))
    .where("model", "=", param("model"))
    .orderBy("precedence")
    .limit(sql.lit(1))
    .$castTo<{ found: number }>(),
);

/** Whether any version of the model is registered. */
export async function modelExists(database: Database, model: ModelName, signal?: AbortSignal): Promise<boolean> {
  const { rows } = await modelStatement(database, { model }, signal);
  return rows.length > 0;
}

interface IntervalParams extends KeyInterval {
  readonly model: ModelName;
}

const highestStatement = statement<IntervalParams, { precedence: Uint8Array }>((db, param) =>
  db
    .selectFrom("model_version")
    .select("precedence")
    .where("model", "=", param("model"))
    .where("precedence", ">=", param("from"))
    .where("precedence", "<", param("to"))
    .orderBy("precedence", "desc")
    .limit(sql.lit(1)),
);

/** The highest precedence key of the model in the interval. */
export async function findHighest(
  database: Database,
  model: ModelName,
  { from, to }: KeyInterval,
): Promise<Uint8Array | undefined> {
  const { rows } = await highestStatement(database, { model, from, to });
  return rows[0]?.precedence;
}
