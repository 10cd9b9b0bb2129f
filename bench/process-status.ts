// What Linux tells about another process, in /proc.

import { readFileSync } from "node:fs";

const MIB = 1024 * 1024;
const SAMPLE_MS = 20;
const TICKS_PER_SECOND = 100;

/** The most resident memory that a process had, in MiB. */
export interface MemoryPeak {
  /** As sampled while it was watched. */
  readonly sampled: number;
  /** Of which memory of its own, not pages of files. */
  readonly anonymous: number;
  /** As the kernel has it, since the process began. */
  readonly highWater: number;
}

/** Watches the resident memory of a process while the work goes on. */
export async function watchMemory(pid: number, work: () => Promise<void>): Promise<MemoryPeak> {
  let sampled = 0;
  let anonymous = 0;
  const sample = () => {
    const status = readStatus(pid);
    sampled = Math.max(sampled, status("VmRSS"));
    anonymous = Math.max(anonymous, status("RssAnon"));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  sample();
  return { sampled, anonymous, highWater: readStatus(pid)("VmHWM") };
}

/** The processor time that a process has used, in seconds. */
export function readProcessorSeconds(pid: number): number {
  // The second field is a name in parentheses, which may hold spaces; utime and stime are the 14th and 15th.
  const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/\) (?=[A-Z] )/);
  const [utime, stime] = fields.split(" ").slice(11, 13);
  return (Number(utime) + Number(stime)) / TICKS_PER_SECOND;
}

/** Looks up the sizes in a process's status, in MiB. */
function readStatus(pid: number): (name: string) => number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return (name) => (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024) / MIB;
}
