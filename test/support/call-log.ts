import { vi } from "vitest";
import type { ServiceProcess } from "./service-process.ts";

/** The levels of the log in JSON. */
export const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 };

/** What the log has of a call. */
export interface CallLine {
  readonly level: number;
  readonly msg: string;
  readonly requestId: string;
  readonly method: string;
  readonly status: string;
}

/** The lines about calls that a service has written so far; throws where a line of its log is not JSON. */
export function callLines({ stderr }: ServiceProcess): CallLine[] {
  const whole = stderr.split("\n").slice(0, -1);
  return whole.map((line) => JSON.parse(line) as CallLine).filter(({ msg }) => msg === "call");
}

/** The first line about a call that comes after this one is begun; throws when there is none within 20 s. */
export async function lineOf(service: ServiceProcess, call: () => Promise<unknown>): Promise<CallLine> {
  const before = callLines(service).length;
  await call();
  return await vi.waitUntil(() => callLines(service)[before], { timeout: 20_000, interval: 10 });
}
