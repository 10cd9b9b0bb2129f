import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder, findProgram, isExecutable, runProgram } from "./program.ts";

const version = "v1.9.3";
const kept = join(cacheFolder, `grpcurl-${version}`, "grpcurl");

/**
 * The path of grpcurl: from PATH, else built by Go once and kept. undefined where neither grpcurl nor Go is here.
 *
 * @throws Error with Go's words, when Go cannot build it.
 */
export async function findGrpcurl(): Promise<string | undefined> {
  const found = await findProgram("grpcurl");
  if (found !== undefined || (await isExecutable(kept))) return found ?? kept;
  const go = await findProgram("go");
  if (go === undefined) return undefined;
  await install(go);
  return kept;
}

// Moved into place when it is whole: several tests may install it at the same time.
async function install(go: string): Promise<void> {
  await mkdir(dirname(kept), { recursive: true });
  const folder = await mkdtemp(join(cacheFolder, "go-install-"));
  try {
    await runProgram(go, ["install", `github.com/fullstorydev/grpcurl/cmd/grpcurl@${version}`], {
      env: { GOBIN: folder },
    });
    await rename(join(folder, "grpcurl"), kept);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
