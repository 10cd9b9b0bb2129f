// postmaster.pid names the process that serves a cluster, or served it before a crash. It is never removed here: its
// last lines also protect against backends that outlive their postmaster. Whether its pid really is a postmaster of
// this cluster is asked of the system, because pids are used again, soonest in containers.

import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { hasCode } from "./embedded-postgres-error.ts";

/** What postmaster.pid says. */
export interface PostmasterFile {
  readonly pid: number;
  readonly isReady: boolean;
}

/** Reads postmaster.pid of a cluster, where there is one. */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "");
  const lines = text.split("\n");
  const pid = Number.parseInt(lines[0] ?? "", 10);
  return pid > 0 ? { pid, isReady: lines[7]?.trim() === "ready" } : undefined;
}

/** Whether a process with this pid exists, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

/** Whether the process is a running postmaster of this cluster; a zombie is none. */
export async function isPostmasterOf(pid: number, cluster: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  return process.platform === "linux" ? isPostmasterByProc(pid, cluster) : isPostmasterByPs(pid, cluster);
}

async function isPostmasterByProc(pid: number, cluster: string): Promise<boolean> {
  try {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (basename(commandLine.split("\0")[0] ?? "") !== "postgres") return false;
    const [directory, expected] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(cluster)]);
    return directory.dev === expected.dev && directory.ino === expected.ino;
  } catch {
    return false;
  }
}

async function isPostmasterByPs(pid: number, cluster: string): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)]);
    return stdout.includes("postgres") && stdout.includes(`-D ${cluster} `);
  } catch {
    return false;
  }
}

/** How a postmaster is asked to stop, and how long each way is given: fast, at once with recovery later, by force. */
const stopSignals = [
  { signal: "SIGINT", patienceMs: 20_000 },
  { signal: "SIGQUIT", patienceMs: 5_000 },
  { signal: "SIGKILL", patienceMs: 5_000 },
] as const;

/** Stops a postmaster, more and more firmly, until `isGone`; false if even force does not help. */
export async function stopPostmaster(pid: number, isGone: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const { signal, patienceMs } of stopSignals) {
    send(pid, signal);
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      if (await isGone()) return true;
      await delay(10);
    }
  }
  return false;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}
