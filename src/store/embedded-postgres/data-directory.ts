import { access, constants, mkdir, readdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import envPaths from "env-paths";
import { EmbeddedPostgresError, reasonOf, useDatabaseUrl } from "./embedded-postgres-error.ts";

/** The places in a data directory; all of them absolute, with links resolved. */
export interface DataDirectory {
  readonly path: string;
  /** The Postgres cluster. */
  readonly cluster: string;
  /** What Postgres has to say. */
  readonly log: string;
  /** Locked while a service owns the directory; its presence marks the directory as Stele's. */
  readonly lock: string;
  /** Who owns the directory, for people and for the next owner. */
  readonly owner: string;
}

/** The platform's usual place for the application's data. */
export function defaultDataDirectory(): string {
  return envPaths("stele", { suffix: "" }).data;
}

/** Opens the data directory, making it where it is missing; refuses one with somebody else's files, untouched. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const absolute = resolve(path);
  const real = await makeWritable(absolute);
  const directory = placesIn(real);
  const names = await readdir(real);
  const foreign = names.find((name) => !ignoredNames.has(name));
  if (foreign !== undefined && !(await isThere(directory.lock))) {
    throw new EmbeddedPostgresError(
      `the data directory ${absolute} holds files that are not Stele's, such as ${foreign}; ` +
        `set STELE_DATA_DIR to a new or an empty directory, or ${useDatabaseUrl}`,
    );
  }
  return directory;
}

const lockName = "stele.lock";

/** What a fresh volume holds on some systems. */
const ignoredNames: ReadonlySet<string> = new Set(["lost+found", ".DS_Store"]);

function placesIn(path: string): DataDirectory {
  return {
    path,
    cluster: join(path, "postgres"),
    log: join(path, "postgres.log"),
    lock: join(path, lockName),
    owner: join(path, "owner.json"),
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function makeWritable(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(path);
  } catch (error) {
    throw new EmbeddedPostgresError(
      `the data directory ${path} cannot be used (${reasonOf(error)}); ` +
        `set STELE_DATA_DIR to a directory that this user can write to, or ${useDatabaseUrl}`,
    );
  }
}
