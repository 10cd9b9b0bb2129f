// h2load of nghttp2: a load generator in C, which costs a fraction of the servers that it measures. It sends one body
// again and again and looks at the HTTP status only; who uses it looks at samples of the gRPC status besides.

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { Slice } from "./contest.ts";
import type { RawRequest } from "./grpc-call.ts";

/** How many connections, and how many calls at once on each. */
export interface Concurrency {
  readonly connections: number;
  readonly streams: number;
}

const program = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "h2load"))
  .find(isExecutable);

/** Whether the machine has h2load. */
export const hasH2load = program !== undefined;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The program and its options, without those that differ from slice to slice. */
export function describeH2load({ connections, streams }: Concurrency): string {
  return `h2load -c ${connections} -m ${streams}`;
}

/** Repeats a call for so long; throws when one failed. */
export async function runH2load(
  address: string,
  { path, body }: RawRequest,
  { connections, streams, seconds }: Concurrency & { seconds: number },
): Promise<Slice> {
  if (program === undefined) throw new Error("there is no h2load on the PATH");
  const folder = await mkdtemp(join(tmpdir(), "stele-h2load-"));
  try {
    const file = join(folder, "body");
    await writeFile(file, body);
    const duration = `${Math.round(seconds * 1000)}ms`;
    const load = ["-D", duration, "-c", String(connections), "-m", String(streams), "-d", file];
    const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
    const { stdout } = await promisify(execFile)(program, [...load, ...headers, `http://${address}${path}`]);
    return parseH2load(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What h2load counted; throws when there is no count in its output, or a call failed. */
export function parseH2load(output: string): Slice {
  const [, time, unit] = /^finished in ([\d.]+)(us|ms|s|m),/m.exec(output) ?? [];
  const [, done, succeeded] = /^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded/m.exec(output) ?? [];
  const factor = unit === undefined ? undefined : secondsOf[unit];
  if (factor === undefined || succeeded === undefined) throw new Error(`h2load wrote what is no result:\n${output}`);
  if (done !== succeeded) throw new Error(`${succeeded} of ${done} calls of h2load succeeded:\n${output}`);
  return { units: Number(succeeded), seconds: Number(time) * factor };
}

const secondsOf: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60 };
