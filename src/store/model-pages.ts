import { sql } from "kysely";
import type { ModelName } from "../domain/model-name.ts";
import type { NameInterval } from "../domain/model-names.ts";
import type { Database } from "./database.ts";
import { statement } from "./statement.ts";
import { isRelease } from "./version-pages.ts";

/** A model with its highest versions, as they were registered. */
export interface ModelRow {
  readonly model: ModelName;
  readonly highest_version: string;
  /** null where there is no release. */
  readonly highest_release: string | null;
}

/** Which models follow: those in the interval. */
export interface ModelPageQuery extends NameInterval {
  /** The name after which the page begins; empty is the beginning. */
  readonly after: string;
  readonly maxRows: number;
}

// A loose index scan: from each model one seek leads to the next, one to its highest version and, where that is no
// release, one to its highest release, however many versions there are. The seek to the next model has no upper bound:
// that would be compared with every row of the index page that it finds (measured: a quarter of the seek).
const pageStatement = statement<ModelPageQuery, ModelRow>((db, param) => ({
  compile: () =>
    sql<ModelRow>`
      with recursive listed as (
        (
          select model, 1 as place from model_version
          where model >= ${param("from")} and model > ${param("after")} and model < ${param("to")}
          order by model limit 1
        )
        union all
        select next.model, listed.place + 1
        from listed cross join lateral (
          select model from model_version
          where model > listed.model
          order by model limit 1
        ) as next
        where listed.place < ${param("maxRows")} and next.model < ${param("to")}
      )
      select listed.model, highest.version as highest_version, case when highest.is_release then highest.version else (
        select version from model_version
        where model = listed.model and ${isRelease}
        order by precedence desc limit 1
      ) end as highest_release
      from listed cross join lateral (
        select version, ${isRelease} as is_release from model_version
        where model = listed.model
        order by precedence desc limit 1
      ) as highest
      order by listed.place`.compile(db),
}));

/** Reads the next models by name, each with its highest versions. */
export async function listModelPage(
  database: Database,
  query: ModelPageQuery,
  signal?: AbortSignal,
): Promise<{ rows: ModelRow[]; isLast: boolean }> {
  const { rows } = await pageStatement(database, query, signal);
  return { rows, isLast: rows.length < query.maxRows };
}
