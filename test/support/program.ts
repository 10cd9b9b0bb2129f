// Programs that tests run beside the service: found in PATH, or made once and kept in the cache folder.

import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where programs are kept that tests download or build; `npm ci` empties it. */
export const cacheFolder = fileURLToPath(new URL("../../node_modules/.cache/stele/", import.meta.url));

/** How a program ended and what it wrote. */
export interface Ending {
  /** undefined: it could not be started, was ended by a signal, or took longer than 10 minutes. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const timeoutMs = 600_000;
const maxBuffer = 64 * 1024 * 1024;

/** Runs a program to its end, for at most 10 minutes; `env` is added to this process's environment. */
export function endProgram(program: string, args: readonly string[], { cwd, env }: Options = {}): Promise<Ending> {
  const options = { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer };
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr });
      else resolve({ exitCode: undefined, stdout, stderr: `${stderr}\n${error?.message}` });
    });
    child.stdin?.end();
  });
}

/**
 * What a program writes to standard output.
 *
 * @throws Error with everything that it wrote, when it does not succeed.
 */
export async function runProgram(program: string, args: readonly string[], options: Options = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await endProgram(program, args, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} failed (exit code ${exitCode})\n${stdout}\n${stderr}`);
}

/** The path of a program in PATH. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** Whether the file is there and may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
