import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { endProgram, findProgram } from "./program.ts";

const packaged = "/usr/lib/postgresql";

/** The folder with pg_dump, pg_dumpall and psql of a major version of Postgres; undefined where they are not here. */
export async function findPostgresTools(major: string): Promise<string | undefined> {
  const inPath = await findProgram("pg_dump");
  const versions = await readdir(packaged).catch(() => []);
  const folders = versions.map((version) => join(packaged, version, "bin"));
  for (const folder of inPath === undefined ? folders : [dirname(inPath), ...folders]) {
    const { stdout } = await endProgram(join(folder, "pg_dump"), ["--version"]);
    if (new RegExp(`\\) ${major}(?:\\.|\\D|$)`).test(stdout)) return folder;
  }
  return undefined;
}
