// The clients of all languages, built the way that their users build them: from a copy of their folder with the protos
// beside it, with the language's own tools, and with dependencies from its own registry.

import { cp, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, join } from "node:path";
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

/** What building in the checkout leaves there. */
const LEFT_OVER = new Set(["node_modules", "target", "dist", "Cargo.lock", "__pycache__"]);

/** Copies what a client is built from into an empty folder; answers where the client is. */
export async function copyClient({ name }: Language, folder: string): Promise<string> {
  const client = join("clients", name);
  const filter = (path: string) => !LEFT_OVER.has(basename(path));
  for (const path of [client, "proto", "docs"]) {
    await cp(join(root, path), join(folder, path), { recursive: true, filter });
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
    await runAll(folder, ["ruff format --check", "ruff check", "mypy", "pytest -q"], pathWith(programs));
  },
};

/** The client in Java. */
export const java: Language = {
  name: "java",
  toolchain: { "a JDK (javac)": ["javac", "-version"], "Maven (mvn)": ["mvn", "-version"] },
  example: "example/Example.java",
  build: async (folder) => {
    await maven(folder, "-DskipTests package dependency:copy-dependencies -DoutputDirectory=target/lib");
    const classPath = ["target/*", "target/lib/*", "target/test-classes"]
      .map((path) => join(folder, path))
      .join(delimiter);
    return {
      runner: ["java", "-cp", classPath, "dev.stele.client.conformance.Runner"],
      example: ["java", "-cp", classPath, join(folder, "example", "Example.java")],
    };
  },
  generate: async (folder) => await maven(folder, "generate-sources"),
  check: async (folder) => {
    await maven(folder, "test");
    const options = "-Xlint:all -Xdoclint:all/protected -Xdoclint/package:dev.stele.client -Werror -d target/lint";
    const sources = '$(find src example -name "*.java")';
    await runAll(folder, [`javac ${options} -cp "target/classes:target/lib/*" ${sources}`]);
  },
};

// Java asks the system for the home folder, and not HOME, which users without one of their own set.
async function maven(folder: string, goals: string): Promise<void> {
  const repository = join(homedir(), ".m2", "repository");
  await runAll(folder, [`mvn --quiet --batch-mode -Dmaven.repo.local="${repository}" ${goals}`]);
}

/** The client in Rust. */
export const rust: Language = {
  name: "rust",
  toolchain: {
    cargo: ["cargo", "--version"],
    rustfmt: ["cargo", "fmt", "--version"],
    clippy: ["cargo", "clippy", "--version"],
  },
  example: "examples/example.rs",
  generated: "src/gen",
  build: async (folder) => {
    await runAll(folder, ["cargo build --quiet --workspace --bins --examples"], cargoEnvironment);
    const programs = join(cargoEnvironment.CARGO_TARGET_DIR, "debug");
    return { runner: [join(programs, "stele-conformance")], example: [join(programs, "examples", "example")] };
  },
  generate: async (folder) => {
    const kept = join(cacheFolder, "rust-plugins");
    const plugins = "protoc-gen-prost@0.5.0 protoc-gen-tonic@0.5.0";
    await runAll(folder, [`cargo install --quiet --locked --root "${kept}" ${plugins}`], cargoEnvironment);
    await buf(folder, join(kept, "bin"));
  },
  check: async (folder) => {
    const commands = [
      "cargo test --quiet --workspace",
      "cargo fmt --all --check",
      "cargo clippy --quiet --workspace --all-targets -- -D warnings",
      "cargo doc --quiet --no-deps",
      "cargo package --quiet --package stele-client --allow-dirty --no-verify",
    ];
    await runAll(folder, commands, { ...cargoEnvironment, RUSTDOCFLAGS: "-D warnings" });
  },
};

/** The client in TypeScript. */
export const typescript: Language = {
  name: "typescript",
  toolchain: { npm: ["npm", "--version"] },
  example: "example/example.ts",
  generated: "src/gen",
  // In a folder of its own, so that the programs import the package and not the sources.
  build: async (folder) => {
    const user = join(folder, "user");
    await runAll(folder, [
      "npm ci && npm pack",
      "mkdir user && cp conformance/runner.ts example/example.ts user",
      `echo '{ "type": "module", "private": true }' > user/package.json`,
      "cd user && npm install ../stele-client-*.tgz",
    ]);
    return { runner: [node, join(user, "runner.ts")], example: [node, join(user, "example.ts")] };
  },
  generate: async (folder) => {
    await symlink(join(root, "node_modules"), join(folder, "../../node_modules"));
    await buf(folder);
  },
  check: async (folder) => {
    await runAll(folder, ["npm test", "npm run typecheck"]);
  },
};

// The Node that runs the tests, which is the project's.
const node = process.execPath;

// What was built is kept, because most of it is what the client depends on.
const cargoEnvironment = { CARGO_TARGET_DIR: join(cacheFolder, "rust") };

// A virtual environment with these packages; answers where its programs are.
async function createEnvironment(name: string, folder: string, packages: readonly string[]): Promise<string> {
  const environment = join(cacheFolder, name);
  const programs = join(environment, "bin");
  await runProgram("python3", ["-m", "venv", environment]);
  await runProgram(join(programs, "pip"), ["install", "--quiet", ...packages], { cwd: folder });
  return programs;
}

// buf, whose plugins are looked for in these folders too.
async function buf(folder: string, ...programs: readonly string[]): Promise<void> {
  await runAll(folder, ["buf generate"], pathWith(...programs));
}

// Shell commands, one after the other, each of which has to succeed.
async function runAll(
  folder: string,
  commands: readonly string[],
  env: Record<string, string> = pathWith(),
): Promise<void> {
  for (const command of commands) await runProgram("bash", ["-c", command], { cwd: folder, env });
}

// A PATH with these folders first, and with the project's own tools.
function pathWith(...programs: readonly string[]): Record<string, string> {
  return { PATH: [...programs, process.env["PATH"], tools].join(delimiter) };
}
