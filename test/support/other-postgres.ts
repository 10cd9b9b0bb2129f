import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareCluster } from "../../src/store/embedded-postgres/cluster.ts";
import { openDataDirectory } from "../../src/store/embedded-postgres/data-directory.ts";
import { startServer } from "../../src/store/embedded-postgres/postgres-server.ts";
import {
  makeSocketDirectory,
  port,
  removeSocketDirectory,
} from "../../src/store/embedded-postgres/socket-directory.ts";
import type { PostgresConnection } from "./postgres-setup.ts";

const programs = "/usr/lib/postgresql/15/bin";

/** Whether Debian's Postgres 15 is installed here. */
export const hasPostgres15 = existsSync(join(programs, "postgres"));

/** Starts Debian's Postgres 15 on an empty cluster. */
export async function startPostgres15(): Promise<AsyncDisposable & { readonly connection: PostgresConnection }> {
  const path = await mkdtemp(join(tmpdir(), "stele-postgres15-"));
  const binaries = { initdb: join(programs, "initdb"), postgres: join(programs, "postgres"), majorVersion: "15" };
  const directory = await openDataDirectory(path);
  await prepareCluster(directory, binaries);
  const socketDirectory = await makeSocketDirectory();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const plan = { binaries, directory, socketDirectory, settings: {}, log };
  const server = await startServer(plan, new AbortController().signal);
  return {
    connection: { host: socketDirectory, port, user: "stele", database: "postgres" },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await removeSocketDirectory(socketDirectory);
      await rm(path, { recursive: true, force: true });
    },
  };
}
