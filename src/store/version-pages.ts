// How the versions of a model are read in their order: pages of an interval, bounded by rows and bytes, by the primary
// key, or by the index of releases where prereleases are left out.

import { type RawBuilder, sql } from "kysely";
import pLimit from "p-limit";
import type { ModelName } from "../domain/model-name.ts";
import type { VersionInterval } from "../domain/version-range.ts";
import type { Database } from "./database.ts";
import { endOf } from "./end-of.ts";
import type { ModelVersionTable } from "./schema.ts";
import { type Param, type Statement, statement } from "./statement.ts";

const columnSets = {
  number: ["version"],
  summary: ["version", "digest_text", "registered_at_ms", "registered_by"],
  record: ["record"],
  everything: ["version", "digest_text", "registered_at_ms", "registered_by", "record"],
} as const satisfies Record<string, readonly (keyof Columns)[]>;

/** The columns of the table, and what is made of some where it would cost more to make it of what the driver answers. */
interface Columns extends ModelVersionTable {
  /** As records have it. */
  readonly digest_text: string;
  /** Since 1970. */
  readonly registered_at_ms: number;
}

/** Which columns are read; what is not needed is neither read nor sent. */
export type ColumnSet = keyof typeof columnSets;

/** A version of a page: its place in the order, and the columns that were asked for. */
export type PageRow<C extends ColumnSet> = Pick<Columns, "precedence" | (typeof columnSets)[C][number]>;

/** The direction of a listing, by precedence. */
export type Direction = "ascending" | "descending";

/** What a page holds at most. */
export interface PageBounds {
  readonly maxRows: number;
  /** No row begins beyond this many bytes of records; the first always fits. Without records nothing is counted. */
  readonly maxBytes: number;
}

/** Which rows follow. */
export interface PageQuery<C extends ColumnSet> extends PageBounds {
  readonly model: ModelName;
  readonly interval: VersionInterval;
  readonly direction: Direction;
  readonly columns: C;
}

/** The first rows of an interval. */
export interface VersionPage<C extends ColumnSet> {
  readonly rows: PageRow<C>[];
  /** Of the records; 0 where they were not asked for. */
  readonly sizeBytes: number;
  /** Whether the interval holds nothing more. */
  readonly isLast: boolean;
}

/** What the driver leaves behind of a page so large is garbage that V8 counts too late; `npm start` lets it be freed. */
const LARGE_PAGE_BYTES = 512 * 1024;

/** Reads the first rows of the interval in this direction. A single row is somebody's answer, and waits for no page. */
export async function listPage<C extends ColumnSet>(
  database: Database,
  { model, interval, direction, columns, maxRows, maxBytes }: PageQuery<C>,
  signal?: AbortSignal,
): Promise<VersionPage<C>> {
  const { from, to, prereleases } = interval;
  const page = statements[columns][direction][prereleases ? "everyVersion" : "releases"];
  const read = async () => await page(database, { model, from, to, maxRows, maxBytes }, signal);
  const { rows } = await (maxRows === 1 ? read() : inTurn(read));
  const sizeBytes = rows.reduce((sum, { record }) => sum + (record?.length ?? 0), 0);
  if (sizeBytes > LARGE_PAGE_BYTES) globalThis.gc?.({ type: "minor" });
  // The statement has the columns of the set.
  return { rows: rows as unknown as PageRow<C>[], sizeBytes, isLast: rows.length < maxRows && sizeBytes < maxBytes };
}

/** Pages are read one at a time: others get connections meanwhile, and what the driver makes of a large page is large. */
const turns = pLimit(1);

const MAX_TURN_MS = 1000;

/** A read that takes long gives up its turn and goes on, so that a connection that is lost holds up nobody else. */
async function inTurn<T>(read: () => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  void turns(async () => {
    const reading = read();
    resolve(reading);
    await endOf(reading, MAX_TURN_MS);
  });
  return await promise;
}

interface PageParams extends PageBounds {
  readonly model: ModelName;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

type PageStatement = Statement<PageParams, { readonly record?: Uint8Array }>;

/** What is common to rows that are releases; the index of releases is on exactly this condition. */
export const isRelease = sql<boolean>`split_part(version, '+', 1) not like '%-%'`;

const conditions = { everyVersion: sql`true`, releases: isRelease };
const orders = { ascending: sql`asc`, descending: sql`desc` };

function pageStatements(columns: ColumnSet): Record<Direction, Record<keyof typeof conditions, PageStatement>> {
  const inOrder = (order: RawBuilder<unknown>) => ({
    everyVersion: pageStatement(columns, order, conditions.everyVersion),
    releases: pageStatement(columns, order, conditions.releases),
  });
  return { ascending: inOrder(orders.ascending), descending: inOrder(orders.descending) };
}

function pageStatement(columns: ColumnSet, order: RawBuilder<unknown>, condition: RawBuilder<unknown>): PageStatement {
  const names = ["precedence", ...columnSets[columns]] as const;
  const nextRows = (param: Param<PageParams>) => sql<PageRow<"record">>`
    select ${sql.join(names.map(selectColumn))} from model_version
    where model = ${param("model")} and precedence >= ${param("from")} and precedence < ${param("to")}
      and ${condition}
    order by precedence ${order}
    limit ${param("maxRows")}`;
  if (columns !== "record" && columns !== "everything") {
    return statement((db, param) => ({ compile: () => nextRows(param).compile(db) }));
  }
  return statement((db, param) => ({
    compile: () =>
      sql<PageRow<"record">>`
      select ${sql.join(names.map((name) => sql.ref(name)))}
      from (
        select *, sum(octet_length(record)) over (order by precedence ${order} rows unbounded preceding)
          - octet_length(record) as bytes_before
        from (${nextRows(param)}) as next_rows
      ) as page
      where bytes_before < ${param("maxBytes")}
      order by precedence ${order}`.compile(db),
  }));
}

function selectColumn(name: keyof Columns): RawBuilder<unknown> {
  switch (name) {
    case "digest_text":
      return sql`'sha256:' || encode(digest, 'hex') as digest_text`;
    case "registered_at_ms":
      return sql`round(date_part('epoch', registered_at) * 1000) as registered_at_ms`;
    default:
      return sql.ref(name);
  }
}

const statements = {
  number: pageStatements("number"),
  summary: pageStatements("summary"),
  record: pageStatements("record"),
  everything: pageStatements("everything"),
} satisfies Record<ColumnSet, unknown>;
