import pg from "pg";
import { clusterUser } from "./cluster.ts";
import { port } from "./socket-directory.ts";

/** How to reach the database. */
export interface Connection {
  /** The directory of the server's socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Said aloud, because PGSSLMODE may ask for TLS, which a Unix socket does not have. */
  readonly ssl: false;
}

/** The connection through a socket directory. */
export function connectionThrough(socketDirectory: string): Connection {
  return { host: socketDirectory, port, user: clusterUser, database: clusterUser, ssl: false };
}

/** Makes the application's database unless it is there. */
export async function ensureDatabase(connection: Connection): Promise<void> {
  const client = new pg.Client({ ...connection, database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  try {
    const found = await client.query("select from pg_database where datname = $1", [connection.database]);
    if (found.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(connection.database)}`);
  } finally {
    await client.end();
  }
}
