// Building clients the way that their users build them: from a copy of their folder with the protos beside it, with the
// language's own tools, and with dependencies from its own registry.

import { cp, readFile } from "node:fs/promises";
import { basename, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../support/program.ts";

/** The checkout. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What building in the checkout leaves there. */
const LEFT_OVER = new Set(["node_modules", "target", "dist", "Cargo.lock", "__pycache__"]);

/** Copies what a language's client is built from into an empty folder; answers where the client is. */
export async function copyClient(language: string, folder: string): Promise<string> {
  const client = join("clients", language);
  const filter = (path: string) => !LEFT_OVER.has(basename(path));
  for (const path of [client, "proto", "docs"]) {
    await cp(join(root, path), join(folder, path), { recursive: true, filter });
  }
  return join(folder, client);
}

/** Runs shell commands in a folder, one after the other, each of which has to succeed. */
export async function runAll(
  folder: string,
  commands: readonly string[],
  env: Readonly<Record<string, string>> = pathWith(),
): Promise<void> {
  for (const command of commands) await runProgram("bash", ["-c", command], { cwd: folder, env });
}

/** Runs buf where a client has its code, and throws where that makes other code; plugins are looked for in `programs` too. */
export async function regenerate(folder: string, path: string, ...programs: readonly string[]): Promise<void> {
  const commands = [`cp -r ${path} before`, "buf generate", `diff -r --exclude=__pycache__ before ${path}`];
  await runAll(folder, commands, pathWith(...programs));
}

/** The shell commands in the comments of a client's template for buf, which fetch its plugins. */
export async function fetchingCommands(folder: string): Promise<string> {
  const template = await readFile(join(folder, "buf.gen.yaml"), "utf8");
  return [...template.matchAll(/^# {3}(.*)$/gm)].map(([, command]) => command).join("\n");
}

/** An environment whose PATH has these folders first, and the project's own tools last. */
export function pathWith(...programs: readonly string[]): { readonly PATH: string } {
  return { PATH: [...programs, process.env["PATH"], join(root, "node_modules", ".bin")].join(delimiter) };
}
