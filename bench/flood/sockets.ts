// What Linux tells in /proc of the file descriptors of processes.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** How many sockets a process has open. */
export function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((descriptor) => isSocket(`${folder}/${descriptor}`)).length;
}

/** False for a descriptor that is closed meanwhile. */
function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    return false;
  }
}

/** How many file descriptors this process may have, and those that it starts. */
export function readDescriptorLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}
