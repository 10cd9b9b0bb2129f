import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { sql } from "kysely";
import type { Database } from "../../src/store/database.ts";
import { hasH2load } from "./h2load.ts";
import { roundsWithoutTarget } from "./measurement.ts";
import type { Scale } from "./models.ts";

/** The machine and all that a result depends on, in lines. */
export async function describeRun(database: Database, { rounds, seconds, versions }: Scale): Promise<string> {
  const { version, fsync, commit } = await readPostgres(database);
  const memoryGib = (totalmem() / 1024 ** 3).toFixed(0);
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? "unknown"}, ${memoryGib} GiB`;
  const load = hasH2load
    ? "h2load where all calls are alike, else Node's http2"
    : "Node's http2 (no h2load on the PATH)";
  return `${machine}, load average ${loadavg()[0]?.toFixed(1)} before
Node ${process.versions.node}; Postgres ${version}, embedded, fsync ${fsync}, synchronous_commit ${commit}
${rounds} rounds of ${seconds} s, without a target ${roundsWithoutTarget(rounds)}; ${versions} versions of the large model, 400 bytes each
service: a process of its own, metrics on, calls not logged; load: ${load}`;
}

interface PostgresSettings {
  readonly version: string;
  readonly fsync: string;
  readonly commit: string;
}

async function readPostgres(database: Database): Promise<PostgresSettings> {
  const { rows } = await sql<PostgresSettings>`
    select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit`.execute(database);
  const [settings] = rows;
  if (settings === undefined) throw new Error("Postgres does not tell its settings");
  return settings;
}
