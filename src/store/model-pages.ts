import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { ModelVersionTable } from "./schema.ts";
import { statement } from "./statement.ts";

/** A model with its highest version. */
export type ModelRow = Pick<ModelVersionTable, "model" | "version" | "precedence">;

/** Which models follow. */
export interface ModelPageQuery {
  /** What their names begin with. */
  readonly prefix: string;
  /** The name after which the page begins; empty is the beginning. */
  readonly after: string;
  readonly maxRows: number;
}

// A loose index scan: from each model one seek leads to the next, and one to its highest version, however many versions
// there are. No name has a character from ~ on.
const pageStatement = statement<ModelPageQuery & { readonly end: string }, ModelRow>((db, param) => ({
  compile: () =>
    sql<ModelRow>`
      with recursive listed as (
        (
          select model, 1 as place from model_version
          where model >= ${param("prefix")} and model > ${param("after")} and model < ${param("end")}
          order by model limit 1
        )
        union all
        select next.model, listed.place + 1
        from listed cross join lateral (
          select model from model_version
          where model > listed.model and model < ${param("end")}
          order by model limit 1
        ) as next
        where listed.place < ${param("maxRows")}
      )
      select listed.model, highest.version, highest.precedence
      from listed cross join lateral (
        select version, precedence from model_version
        where model = listed.model
        order by precedence desc limit 1
      ) as highest
      order by listed.place`.compile(db),
}));

/** Reads the next models by name, each with its highest version. */
export async function listModelPage(
  database: Database,
  query: ModelPageQuery,
  signal?: AbortSignal,
): Promise<{ rows: ModelRow[]; isLast: boolean }> {
  const { rows } = await pageStatement(database, { ...query, end: `${query.prefix}~` }, signal);
  return { rows, isLast: rows.length < query.maxRows };
}
