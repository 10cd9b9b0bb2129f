import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../../bench/statistics.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const MAX_LOG_LINES = 1000;
const READINGS = 9;
const PAUSE_MS = 1000;
const BETWEEN_READINGS_MS = 100;
const MAX_GROWTH_MIB = 64;
const MAX_GROWTH_FACTOR = 1.5;

// A stack trace in a line of the log; a line that is no JSON is of Node itself.
const alarming = /internal error|uncaught|unhandled|\\n +at |^[^{\n]/im;

/** Looks at the process from outside: whether it lives, what it logs, how much memory it has. */
export class ServiceWatch {
  readonly #service: ServiceProcess;
  #seen = 0;
  #lines = 0;

  constructor(service: ServiceProcess) {
    this.#service = service;
  }

  /** Whether there is such a process. */
  isAlive(): boolean {
    try {
      return process.kill(this.#service.pid, 0);
    } catch {
      return false;
    }
  }

  /** What is wrong with the process or with what it logged since the last look. */
  findFault(): string | undefined {
    const { stderr } = this.#service;
    if (!this.isAlive()) return `the process is gone; its log ends in\n${stderr.slice(-4000)}`;
    const news = stderr.slice(this.#seen, stderr.lastIndexOf("\n") + 1);
    this.#seen += news.length;
    this.#lines += news.split("\n").length - 1;
    if (alarming.test(news)) return `the log has\n${news.slice(0, 4000)}`;
    if (this.#lines > MAX_LOG_LINES) return `the log has ${this.#lines} lines, such as\n${news.slice(-1000)}`;
    return undefined;
  }

  /** The resident memory after a pause, in MiB: the median of some readings. */
  async measureResident(): Promise<number> {
    await sleep(PAUSE_MS);
    const readings: number[] = [];
    for (let left = READINGS; left > 0; left -= 1) {
      readings.push(this.#residentMib());
      await sleep(BETWEEN_READINGS_MS);
    }
    return median(readings);
  }

  #residentMib(): number {
    if (!this.isAlive()) return Number.NaN;
    const status = readFileSync(`/proc/${this.#service.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }
}

/** What is wrong with the memory, when it grew from one reading to the other; nothing, where there was nobody to read. */
export function findGrowth(warmMib: number, endMib: number): string | undefined {
  const isFlat = Number.isNaN(endMib) || (endMib <= warmMib * MAX_GROWTH_FACTOR && endMib <= warmMib + MAX_GROWTH_MIB);
  return isFlat ? undefined : `resident memory grew from ${Math.round(warmMib)} to ${Math.round(endMib)} MiB`;
}
