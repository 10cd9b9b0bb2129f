// How the versions of a model are read in their order: pages by the primary key, bounded by rows and bytes. Where
// prereleases are left out, a walk goes from release to release and passes over the prereleases of a
// major.minor.patch in one seek, however many there are.

import { type RawBuilder, sql } from "kysely";
import type { ModelName } from "../domain/model-name.ts";
import type { VersionInterval } from "../domain/version-range.ts";
import type { Database } from "./database.ts";
import type { ModelVersionTable } from "./schema.ts";
import { type Param, type Statement, statement } from "./statement.ts";

const columnSets = {
  number: ["version"],
  summary: ["version", "digest", "registered_at", "registered_by"],
  record: ["record"],
  everything: ["version", "digest", "registered_at", "registered_by", "record"],
} as const satisfies Record<string, readonly (keyof ModelVersionTable)[]>;

/** Which columns are read; what is not needed is neither read nor sent. */
export type ColumnSet = keyof typeof columnSets;

/** A version of a page: its place in the order, and the columns that were asked for. */
export type PageRow<C extends ColumnSet> = Pick<ModelVersionTable, "precedence" | (typeof columnSets)[C][number]>;

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
  /** The key of the last row read, an excluded prerelease perhaps; undefined when nothing was. */
  readonly end: Uint8Array | undefined;
  /** How many rows were read. */
  readonly visited: number;
  /** Whether the interval holds nothing more. */
  readonly isLast: boolean;
}

/** The most rows that one walk reads. */
const MAX_VISITS = 1000;

/** Reads the first rows of the interval in this direction. */
export async function listPage<C extends ColumnSet>(
  database: Database,
  { model, interval, direction, columns, maxRows, maxBytes }: PageQuery<C>,
  signal?: AbortSignal,
): Promise<VersionPage<C>> {
  const { from, to, prereleases } = interval;
  const page = statements[columns][direction][prereleases ? "scan" : "walk"];
  const { rows: visited } = await page(database, { model, from, to, maxRows, maxBytes }, signal);
  const selected = visited.filter(({ is_selected }) => is_selected);
  const rows = selected as unknown as PageRow<C>[]; // The statement has the columns of the set.
  const bytes = selected.reduce((sum, { record }) => sum + (record?.length ?? 0), 0);
  const isFull = rows.length >= maxRows || bytes >= maxBytes || (!prereleases && visited.length >= MAX_VISITS);
  return { rows, end: visited.at(-1)?.precedence, visited: visited.length, isLast: !isFull };
}

interface PageParams extends PageBounds {
  readonly model: ModelName;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

interface VisitedRow {
  readonly precedence: Uint8Array;
  /** False for a prerelease that is passed over. */
  readonly is_selected: boolean;
  readonly record?: Uint8Array | null;
}

type PageStatement = Statement<PageParams, VisitedRow>;

function pageStatements(columns: ColumnSet): Record<Direction, Record<"scan" | "walk", PageStatement>> {
  return {
    ascending: { scan: scanStatement(columns, ascending), walk: walkStatement(columns, ascending) },
    descending: { scan: scanStatement(columns, descending), walk: walkStatement(columns, descending) },
  };
}

/** What differs between the directions. */
interface DirectionSql {
  readonly order: RawBuilder<unknown>;
  /** Where the row after that of `walk` is: beyond its release and all prereleases of that. */
  readonly beyond: RawBuilder<unknown>;
}

// A release is its core and 02, a prerelease its core, 01 and more (domain/precedence.ts).
const descending: DirectionSql = {
  order: sql`desc`,
  beyond: sql`precedence < walk.core`,
};
const ascending: DirectionSql = {
  order: sql`asc`,
  beyond: sql`precedence >= walk.core || case when walk.is_selected then '\\x03'::bytea else '\\x02'::bytea end`,
};

function scanStatement(columns: ColumnSet, { order }: DirectionSql): PageStatement {
  const names = sql.join(columnSets[columns].map((name) => sql.ref(name)));
  return statement((db, param) => {
    const rows = sql`
      select precedence, ${names}, true as is_selected
      from model_version
      where model = ${param("model")} and ${isInside(param)}
      order by precedence ${order}
      limit ${param("maxRows")}`;
    if (!hasRecord(columns)) return { compile: () => sql<VisitedRow>`${rows}`.compile(db) };
    return {
      compile: () =>
        sql<VisitedRow>`
        select precedence, ${names}, is_selected
        from (
          select *, sum(octet_length(record)) over (order by precedence ${order} rows unbounded preceding)
            - octet_length(record) as bytes_before
          from (${rows}) as next_rows
        ) as page
        where bytes_before < ${param("maxBytes")}
        order by precedence ${order}`.compile(db),
    };
  });
}

function walkStatement(columns: ColumnSet, { order, beyond }: DirectionSql): PageStatement {
  const names = sql.join(columnSets[columns].map((name) => sql.ref(name)));
  const answered = columnSets[columns].map((name) =>
    name === "record" ? sql`case when is_selected then record end as record` : sql.ref(name),
  );
  const sizeBytes = hasRecord(columns) ? sql`octet_length(record)` : sql`0`;
  const next = (param: Param<PageParams>, condition: RawBuilder<unknown>) => sql`
    select precedence, ${names}, substring(precedence for core_length) as core, ${sizeBytes} as size_bytes,
      get_byte(precedence, core_length) = 2 as is_selected
    from (
      select precedence, ${names}, ${coreLength} as core_length
      from model_version
      where model = ${param("model")} and ${isInside(param)} and ${condition}
      order by precedence ${order}
      limit 1
    ) as next_row`;
  return statement((db, param) => ({
    compile: () =>
      sql<VisitedRow>`
      with recursive walk as (
        select first.*, 1 as visited, is_selected::integer as found, is_selected::integer * size_bytes as bytes
        from (${next(param, sql`true`)}) as first
        union all
        select next.*, walk.visited + 1, walk.found + next.is_selected::integer,
          walk.bytes + next.is_selected::integer * next.size_bytes
        from walk cross join lateral (${next(param, beyond)}) as next
        where walk.visited < ${sql.lit(MAX_VISITS)} and walk.found < ${param("maxRows")}
          and walk.bytes < ${param("maxBytes")}
      )
      select precedence, ${sql.join(answered)}, is_selected from walk order by visited`.compile(db),
  }));
}

function isInside(param: Param<PageParams>): RawBuilder<unknown> {
  return sql`precedence >= ${param("from")} and precedence < ${param("to")}`;
}

function hasRecord(columns: ColumnSet): boolean {
  return columns === "record" || columns === "everything";
}

// Three numbers: of one byte up to EF, above of as many more as the distance from there.
const majorEnd = numberEnd(sql`0`);
const coreLength = numberEnd(numberEnd(majorEnd));

function numberEnd(start: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(${start} + 1 + greatest(0, get_byte(precedence, ${start}) - 239))`;
}

// Last, because it is made from everything above when the module loads.
const statements = {
  number: pageStatements("number"),
  summary: pageStatements("summary"),
  record: pageStatements("record"),
  everything: pageStatements("everything"),
} satisfies Record<ColumnSet, unknown>;
