import { execFile } from "node:child_process";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A small file system in memory. */
export interface TinyDisk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Makes it as large as anybody may want. */
  grow(): Promise<void>;
}

/** Mounts a file system of so many mebibytes, which only root may. */
export async function mountTinyDisk(mebibytes: number): Promise<TinyDisk> {
  const path = await mkdtemp(join(tmpdir(), "stele-tiny-disk-"));
  const unmount = async () => {
    // What still has a file open on it keeps the memory until it ends, and nothing else.
    await run("umount", ["--lazy", path]);
    await rmdir(path);
  };
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=700`, "none", path]);
  } catch (error) {
    await rmdir(path);
    throw error;
  }
  return {
    path,
    grow: async () => void (await run("mount", ["-o", "remount,size=1g", path])),
    [Symbol.asyncDispose]: unmount,
  };
}

/** Whether this user may mount one. */
export async function canMountTinyDisk(): Promise<boolean> {
  try {
    await using _ = await mountTinyDisk(1);
    return true;
  } catch {
    return false;
  }
}
