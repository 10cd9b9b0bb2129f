// The clients of other languages, built the way that their users build them: stubs generated from the protos by the
// language's own tools, dependencies from its own registry, both pinned by the files beside the client.

import { cp } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, runProgram } from "../support/program.ts";
import type { Toolchain } from "./toolchain.ts";

/** A language with a client of the service, in the folder of its name. */
export interface Language {
  readonly name: string;
  readonly toolchain: Toolchain;
  /** Builds the client in a folder that holds its files and `proto`; answers the command that runs it. */
  build(folder: string): Promise<Command>;
}

/** A program and its first arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** The languages that are tried. */
export const languages: readonly Language[] = [
  {
    name: "python",
    toolchain: { "python3 with venv and pip": ["python3", "-c", "import ensurepip, venv"] },
    build: buildPython,
  },
  {
    name: "go",
    toolchain: { go: ["go", "version"] },
    build: buildGo,
  },
  {
    name: "java",
    toolchain: { "a JDK (javac)": ["javac", "-version"], "Maven (mvn)": ["mvn", "-version"] },
    build: buildJava,
  },
];

/** Builds the client of a language in an empty folder; answers the command that runs it. */
export async function buildClient({ name, build }: Language, folder: string): Promise<Command> {
  await cp(fileURLToPath(new URL(name, import.meta.url)), folder, { recursive: true });
  await cp(fileURLToPath(new URL("../../proto", import.meta.url)), join(folder, "proto"), { recursive: true });
  return await build(folder);
}

async function buildPython(folder: string): Promise<Command> {
  const environment = join(cacheFolder, "python");
  const python = join(environment, "bin", "python");
  await runProgram("python3", ["-m", "venv", environment]);
  await runProgram(python, ["-m", "pip", "install", "--quiet", "--requirement", join(folder, "requirements.txt")]);
  const outputs = ["--python_out=.", "--grpc_python_out=."];
  const protos = ["stele/v1/model_version.proto", "stele/v1/model_registry_service.proto"];
  await runProgram(python, ["-m", "grpc_tools.protoc", "--proto_path=proto", ...outputs, ...protos], { cwd: folder });
  return [python, join(folder, "client.py")];
}

async function buildGo(folder: string): Promise<Command> {
  const buf = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
  await runProgram(buf, ["generate"], { cwd: folder });
  await runProgram("go", ["build", "-o", "client", "."], { cwd: folder });
  return [join(folder, "client")];
}

async function buildJava(folder: string): Promise<Command> {
  // Java asks the system for the home folder, and not HOME, which users without one of their own set.
  const repository = `-Dmaven.repo.local=${join(homedir(), ".m2", "repository")}`;
  await runProgram("mvn", ["--quiet", "--batch-mode", repository, "compile"], { cwd: folder });
  const classPath = [join(folder, "target", "classes"), join(folder, "target", "lib", "*")].join(delimiter);
  return ["java", "-cp", classPath, "Client"];
}
