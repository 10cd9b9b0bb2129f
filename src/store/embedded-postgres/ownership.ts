// One service owns a data directory at a time. The claim is the kernel's lock on a file, held through SQLite, which is
// what Node offers for it: it ends with the process however that dies, so it is never stale and cannot be raced for.
// owner.json beside it only tells who the owner is; nothing is decided by it.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { DataDirectory } from "./data-directory.ts";
import { EmbeddedPostgresError, reasonOf, useDatabaseUrl } from "./embedded-postgres-error.ts";
import { isAlive } from "./postmaster.ts";

/** What a second service, and the next one, are told about the owner. */
export interface Owner {
  readonly pid: number;
  readonly serviceAddress: string;
  readonly socketDirectory: string;
}

/** The exclusive right to run Postgres on a data directory. */
export class Ownership {
  readonly #directory: DataDirectory;
  readonly #lock: DatabaseSync;
  /** Who owned the directory before and never said goodbye. */
  readonly previous: Owner | undefined;

  constructor(directory: DataDirectory, lock: DatabaseSync, previous: Owner | undefined) {
    this.#directory = directory;
    this.#lock = lock;
    this.previous = previous;
  }

  /** Tells others who the owner is. */
  async announce(owner: Owner): Promise<void> {
    await writeOwner(this.#directory, owner);
  }

  /** Gives the directory up. */
  async release(): Promise<void> {
    await rm(this.#directory.owner, { force: true }).catch(() => {});
    this.#lock.close();
  }
}

/** Takes the directory, or refuses at once where another live service owns it, naming that one. */
export async function takeOwnership(directory: DataDirectory): Promise<Ownership> {
  const lock = openLock(directory);
  if (lock === undefined) throw await alreadyOwned(directory);
  return new Ownership(directory, lock, await readOwner(directory));
}

const sqliteBusy = 5;

function openLock(directory: DataDirectory): DatabaseSync | undefined {
  try {
    const database = new DatabaseSync(directory.lock);
    try {
      // The one write lock of SQLite that is taken in a single step; an exclusive one could fail for all who try at once.
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
      return database;
    } catch (error) {
      database.close();
      if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
      throw error;
    }
  } catch (error) {
    throw new EmbeddedPostgresError(
      `the data directory ${directory.path} cannot be locked (${reasonOf(error)}); ` +
        `set STELE_DATA_DIR to a directory on a local disk that this user can write to, or ${useDatabaseUrl}`,
    );
  }
}

async function alreadyOwned(directory: DataDirectory): Promise<EmbeddedPostgresError> {
  const owner = await findOwner(directory);
  const who = owner === undefined ? "" : ` (process ${owner.pid}, serving ${owner.serviceAddress})`;
  return new EmbeddedPostgresError(
    `the data directory ${directory.path} is in use by another Stele service${who}; ` +
      `stop that one, set STELE_DATA_DIR to a directory of this one's own, or ${useDatabaseUrl}`,
  );
}

/** The owner announces itself right after taking the lock; until then the file may still name its predecessor. */
async function findOwner(directory: DataDirectory): Promise<Owner | undefined> {
  let owner = await readOwner(directory);
  for (let attempt = 0; attempt < 50 && (owner === undefined || !isAlive(owner.pid)); attempt += 1) {
    await delay(20);
    owner = await readOwner(directory);
  }
  return owner;
}

async function readOwner(directory: DataDirectory): Promise<Owner | undefined> {
  try {
    const { pid, serviceAddress, socketDirectory } = JSON.parse(await readFile(directory.owner, "utf8"));
    return { pid: Number(pid), serviceAddress: String(serviceAddress), socketDirectory: String(socketDirectory) };
  } catch {
    return undefined;
  }
}

async function writeOwner(directory: DataDirectory, owner: Owner): Promise<void> {
  const draft = `${directory.owner}.new`;
  await writeFile(draft, `${JSON.stringify(owner, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, directory.owner);
}
