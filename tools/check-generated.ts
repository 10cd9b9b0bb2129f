// Generates gen/ anew into a temporary folder and compares the two byte for byte, so that what is committed
// is what buf makes of the proto. Run it through npm, which finds buf and Node.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const committed = "gen";

const differences = generateAndCompare();
for (const difference of differences) process.stderr.write(`${difference}\n`);
if (differences.length > 0) {
  process.stderr.write("gen/ is not what buf generates; run `npm run generate`\n");
  process.exitCode = 1;
}

function generateAndCompare(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "stele-generated-"));
  try {
    execFileSync("buf", ["generate", "--output", folder], { stdio: "inherit" });
    return compare(readTree(committed), readTree(join(folder, committed)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compare(present: Map<string, Buffer>, generated: Map<string, Buffer>): string[] {
  const paths = new Set([...present.keys(), ...generated.keys()]);
  return [...paths].sort().flatMap((path) => {
    const [here, made] = [present.get(path), generated.get(path)];
    if (made === undefined) return [`${committed}/${path} is stale: nothing generates it`];
    if (here === undefined) return [`${committed}/${path} is missing`];
    return here.equals(made) ? [] : [`${committed}/${path} differs`];
  });
}

/** Every file below the folder, by its path in it. */
function readTree(folder: string): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}
