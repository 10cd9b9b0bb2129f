// The clients of all languages, built the way that their users build them: from a copy of their folder with the protos
// beside it, with the language's own tools, and with dependencies from its own registry.

import { cp } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "../conformance/runner.ts";
import { cacheFolder, runProgram } from "../support/program.ts";
import type { Toolchain } from "./toolchain.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = join(root, "node_modules", ".bin");

/** A language with a client in clients/, in the folder of its name. */
export interface Language {
  readonly name: string;
  readonly toolchain: Toolchain;
  /** Where the client's folder has the source of its example. */
  readonly example: string;
  /** Where it keeps the code that its generator makes; undefined where each build makes it. */
  readonly generated?: string;
  /** Builds the client as a user gets it, in a copy of its folder. */
  build(folder: string): Promise<Client>;
  /** Makes the generated code anew, in a copy of the folder. */
  generate(folder: string): Promise<void>;
  /** Runs the client's own tests and all that the language's tools check, in a copy of its folder. */
  check(folder: string): Promise<void>;
}

/** A client that was built. */
export interface Client {
  /** Starts its runner for the conformance suite. */
  readonly runner: Command;
  /** Runs its example, once the address and a model are added. */
  readonly example: Command;
}

/** Copies what a client is built from into an empty folder; answers where the client is. */
export async function copyClient({ name }: Language, folder: string): Promise<string> {
  const client = join("clients", name);
  for (const path of [client, "proto", "docs", "LICENSE"]) {
    await cp(join(root, path), join(folder, path), { recursive: true });
  }
  return join(folder, client);
}

/** The client in Go. */
export const go: Language = {
  name: "go",
  toolchain: { go: ["go", "version"] },
  example: "example/main.go",
  generated: "stele/v1",
  build: async (folder) => {
    await runProgram("go", ["build", "-o", "bin/", "./internal/conformance", "./example"], { cwd: folder });
    return { runner: [join(folder, "bin", "conformance")], example: [join(folder, "bin", "example")] };
  },
  generate: async (folder) => await buf(folder),
  check: async (folder) => {
    await runAll(folder, ["go vet ./...", "go test ./...", 'test -z "$(gofmt -l .)"']);
  },
};

/** The client in Python. */
export const python: Language = {
  name: "python",
  toolchain: { "python3 with venv and pip": ["python3", "-c", "import ensurepip, venv"] },
  example: "examples/example.py",
  generated: "src/stele/v1",
  build: async (folder) => {
    const programs = await createEnvironment("python", folder, ["."]);
    const python = join(programs, "python");
    return {
      runner: [python, join(folder, "conformance", "runner.py")],
      example: [python, join(folder, "examples", "example.py")],
    };
  },
  generate: async (folder) => {
    await buf(folder, await createEnvironment("python-generate", folder, ["-r", "requirements/generate.txt"]));
  },
  check: async (folder) => {
    const programs = await createEnvironment("python-develop", folder, ["-r", "requirements/develop.txt", "-e", "."]);
    await runAll(folder, ["ruff format --check", "ruff check", "mypy", "pytest -q"], programs);
  },
};

// A virtual environment with these packages; answers where its programs are.
async function createEnvironment(name: string, folder: string, packages: readonly string[]): Promise<string> {
  const environment = join(cacheFolder, name);
  const programs = join(environment, "bin");
  await runProgram("python3", ["-m", "venv", environment]);
  await runProgram(join(programs, "pip"), ["install", "--quiet", ...packages], { cwd: folder });
  return programs;
}

async function buf(folder: string, ...programs: readonly string[]): Promise<void> {
  await runAll(folder, ["buf generate"], ...programs);
}

// Shell commands, one after the other; their programs are looked for in these folders first.
async function runAll(folder: string, commands: readonly string[], ...programs: readonly string[]): Promise<void> {
  const PATH = [...programs, process.env["PATH"], tools].join(delimiter);
  for (const command of commands) await runProgram("bash", ["-c", command], { cwd: folder, env: { PATH } });
}
