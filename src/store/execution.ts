import type { CompiledQuery, QueryResult } from "kysely";
import { connectionsOf, streamOf } from "./connections.ts";
import type { Database } from "./database.ts";

/** Sends a statement, without Kysely's executor (measured: 32 instead of 37 µs of processor time a statement). */
export async function execute<R>(database: Database, query: CompiledQuery<R>): Promise<QueryResult<R>> {
  const queries = connectionsOf(database)?.queries;
  if (queries === undefined) return await database.executeQuery(query);
  const client = await queries.connect();
  try {
    const { rows, rowCount } = await client.query(query.sql, [...query.parameters]);
    return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
  } finally {
    // One that was ended because of this statement is of no use to the next.
    client.release(streamOf(client).destroyed);
  }
}
