import { mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { EmbeddedPostgresError, reasonOf, useDatabaseUrl } from "./embedded-postgres-error.ts";

/** The port is only part of the socket's name; nothing listens on the network. */
export const port = 5432;

/** The shortest that any platform allows for a socket's path, without its final NUL. */
const longestSocketPathBytes = 103;
const prefix = "stele-postgres-";
const socketName = `.s.PGSQL.${port}`;

/** Makes a directory for the socket that only this user can enter; the data directory's own path may be too long. */
export async function makeSocketDirectory(): Promise<string> {
  const parent = [tmpdir(), "/tmp"].find((candidate) => fits(join(candidate, `${prefix}XXXXXX`))) ?? "/tmp";
  try {
    return await mkdtemp(join(parent, prefix));
  } catch (error) {
    throw new EmbeddedPostgresError(
      `no directory for the socket of the embedded Postgres can be made in ${parent} (${reasonOf(error)}); ` +
        `set TMPDIR to a directory that this user can write to, or ${useDatabaseUrl}`,
    );
  }
}

function fits(directory: string): boolean {
  return Buffer.byteLength(join(directory, socketName)) <= longestSocketPathBytes;
}

/** Removes the sockets of a server that is gone, so that their lock files cannot stand in the way of the next. */
export async function clearSocketDirectory(directory: string): Promise<void> {
  await rm(join(directory, socketName), { force: true });
  await rm(join(directory, `${socketName}.lock`), { force: true });
}

/** Removes a socket directory, and nothing else: what it does not know it leaves alone. */
export async function removeSocketDirectory(directory: string): Promise<void> {
  if (!basename(directory).startsWith(prefix)) return;
  await clearSocketDirectory(directory).catch(() => {});
  await rmdir(directory).catch(() => {});
}
