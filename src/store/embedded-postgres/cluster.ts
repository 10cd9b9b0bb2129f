import { mkdtemp, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PostgresBinaries } from "./binaries.ts";
import type { DataDirectory } from "./data-directory.ts";
import { EmbeddedPostgresError, reasonOf, useDatabaseUrl } from "./embedded-postgres-error.ts";
import { spawnGuarded } from "./guard.ts";
import { logSize, readLogTail } from "./server-log.ts";

/** The superuser of the cluster, and the name of its database. */
export const clusterUser = "stele";

/** Leaves a complete cluster of the right version in the data directory, making it where there is none. */
export async function prepareCluster(directory: DataDirectory, binaries: PostgresBinaries): Promise<void> {
  await removeDrafts(directory);
  if (!(await ownsCluster(directory))) return createCluster(directory, binaries);
  const version = await readClusterVersion(directory);
  if (version === binaries.majorVersion) return;
  throw new EmbeddedPostgresError(
    `the data directory ${directory.path} was made by Postgres ${version}, and this release brings Postgres ` +
      `${binaries.majorVersion}; dump it with pg_dump under the release that made it and restore it into a new ` +
      `STELE_DATA_DIR, or ${useDatabaseUrl}`,
  );
}

/** False where there is no cluster. Another user's Postgres would refuse less clearly, or in a user namespace not see. */
async function ownsCluster(directory: DataDirectory): Promise<boolean> {
  const found = await stat(directory.cluster).catch(() => undefined);
  if (found === undefined) return false;
  if (found.uid === process.geteuid?.()) return true;
  throw new EmbeddedPostgresError(
    `the database in ${directory.path} belongs to another user (uid ${found.uid}); ` +
      `run the service as that user, set STELE_DATA_DIR to another directory, or ${useDatabaseUrl}`,
  );
}

async function readClusterVersion(directory: DataDirectory): Promise<string> {
  try {
    return (await readFile(join(directory.cluster, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    throw new EmbeddedPostgresError(
      `the database in ${directory.path} is damaged (${reasonOf(error)}); ` +
        `restore the directory from a backup, set STELE_DATA_DIR to another one, or ${useDatabaseUrl}`,
    );
  }
}

/** Made under another name and renamed when complete: a cluster is whole or not there, whenever the power fails. */
async function createCluster(directory: DataDirectory, binaries: PostgresBinaries): Promise<void> {
  const draft = await mkdtemp(draftPrefix(directory));
  try {
    await runInitdb(draft, directory, binaries);
    await rename(draft, directory.cluster);
    await syncDirectory(directory.path);
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

function draftPrefix(directory: DataDirectory): string {
  return `${directory.cluster}.draft-`;
}

async function removeDrafts(directory: DataDirectory): Promise<void> {
  const names = await readdir(directory.path);
  for (const name of names.filter((candidate) => candidate.startsWith(basename(draftPrefix(directory))))) {
    // One that an orphaned initdb still fills may resist; the next start removes it.
    await rm(join(directory.path, name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

async function runInitdb(draft: string, directory: DataDirectory, binaries: PostgresBinaries): Promise<void> {
  const logStart = await logSize(directory.log);
  const log = await open(directory.log, "a", 0o600);
  try {
    const options = [`--username=${clusterUser}`, "--auth-local=trust", "--auth-host=reject", "--data-checksums"];
    const encoding = ["--encoding=UTF8", "--locale=C", "--no-instructions"];
    const initdb = await spawnGuarded([binaries.initdb, "-D", draft, ...options, ...encoding], { outputFd: log.fd });
    const ending = await initdb.ended;
    if (ending === "exit code 0") return;
    const tail = await readLogTail(directory.log, logStart);
    throw new EmbeddedPostgresError(
      `initdb could not make a database in ${directory.path} (${ending}); mend what it says, or ${useDatabaseUrl}:\n${tail}`,
    );
  } finally {
    await log.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
