import { type CompiledQuery, sql } from "kysely";
import type { Database } from "../../src/store/database.ts";

/** A database that remembers what it was asked. */
export interface RecordingDatabase {
  readonly database: Database;
  readonly queries: CompiledQuery[];
}

/** The same database, on which every query is remembered: as one whose reads cannot be cancelled, it is asked itself. */
export function recordQueries(database: Database): RecordingDatabase {
  const queries: CompiledQuery[] = [];
  const recording = new Proxy(database, {
    get: (target, name) => {
      if (name !== "executeQuery") return Reflect.get(target, name, target);
      return async (query: CompiledQuery) => {
        queries.push(query);
        return await target.executeQuery(query);
      };
    },
  });
  return { database: recording, queries };
}

/** How Postgres carried out a query. */
export interface QueryPlan {
  /** Every access to a table or index, such as `Index Scan using model_version_pkey`. */
  readonly accesses: readonly string[];
  /** How many rows of tables it looked at. */
  readonly rowsRead: number;
  readonly rowsAnswered: number;
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly PlanNode[];
}

/** The plan of a query, carried out with its parameters, as a prepared statement has it from its sixth call on. */
export async function genericPlan(database: Database, query: CompiledQuery): Promise<QueryPlan> {
  return await database.connection().execute(async (connection) => {
    await sql`set plan_cache_mode = force_generic_plan`.execute(connection);
    await sql.raw(`prepare explained as ${query.sql}`).execute(connection);
    const values = query.parameters.map(literal);
    const execution = values.length === 0 ? "explained" : `explained(${values.join(", ")})`;
    try {
      return await explain(connection, `execute ${execution}`);
    } finally {
      await sql`deallocate explained`.execute(connection);
      await sql`reset plan_cache_mode`.execute(connection);
    }
  });
}

/** The plan of a query that is made for its very parameters. */
export async function customPlan(database: Database, { sql: text, parameters }: CompiledQuery): Promise<QueryPlan> {
  return await explain(
    database,
    text.replaceAll(/\$(\d+)/g, (_, number) => literal(parameters[Number(number) - 1])),
  );
}

async function explain(database: Database, statement: string): Promise<QueryPlan> {
  const { rows } = await sql
    .raw<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(`explain (analyze, format json) ${statement}`)
    .execute(database);
  const root = rows[0]?.["QUERY PLAN"][0].Plan;
  if (root === undefined) throw new Error("no plan");
  const accesses = nodesOf(root).filter((node) => node["Relation Name"] !== undefined);
  return {
    accesses: accesses.map((node) => [node["Node Type"], "using", node["Index Name"]].join(" ")),
    rowsRead: accesses.reduce((sum, node) => sum + rowsReadBy(node), 0),
    rowsAnswered: root["Actual Rows"],
  };
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function rowsReadBy(node: PlanNode): number {
  const removed = (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
  return Math.round((node["Actual Rows"] + removed) * node["Actual Loops"]);
}

function literal(value: unknown): string {
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString("hex")}'::bytea`;
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  throw new Error(`no literal for ${typeof value}`);
}
