import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ConformanceCase, readCases } from "../conformance/cases.ts";
import type { Command } from "../conformance/runner.ts";
import { Stage } from "../conformance/stage.ts";
import { endProgram } from "../support/program.ts";
import { copyClient, root } from "./building.ts";
import { findMissing, itUnless, type Toolchain } from "./toolchain.ts";

/** A language with a client in clients/, in the folder of its name. */
export interface Language {
  readonly name: string;
  readonly toolchain: Toolchain;
  /** Where the client's folder has the source of its example. */
  readonly example: string;
  /** Builds the client as a user gets it, in a copy of its folder. */
  build(folder: string): Promise<Client>;
  /** Generates anew, by the client's template for buf, and throws where that makes other code than the client has. */
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

const BUILD_TIMEOUT_MS = 900_000;

/** Declares the tests of a language's client: it is built as its users build it, and held to every case. */
export async function testClient(language: Language): Promise<void> {
  const missing = await findMissing(language.toolchain);
  describe(language.name, () => {
    if (missing === undefined) testBuilt(language);
    else itUnless(missing, "conforms", async () => {});
  });
}

function testBuilt(language: Language): void {
  let temporary: string;
  let folder: string;
  let client: Client;

  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), `stele-${language.name}-`));
    folder = await copyClient(language.name, temporary);
    client = await language.build(folder);
  }, BUILD_TIMEOUT_MS);

  afterAll(async () => {
    await rm(temporary, { recursive: true, force: true });
  });

  const cases = readCases();
  describeCases(cases.filter(({ slow }) => !slow));
  describeCases(cases.filter(({ slow }) => slow));

  it("runs its example, which is the one in its README", async () => {
    const [program, ...args] = client.example;
    const model = `example/${language.name}`;
    const { exitCode, stdout, stderr } = await endProgram(program, [...args, inject("service"), model]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout.split("\n")).toContain("1.0.1");
    expect(stdout + stderr).toMatch(/sha256:[0-9a-f]{64}.*identical: false/i);
    const [readme, source] = await Promise.all([read("README.md"), read(language.example)]);
    expect(readme).toContain(source.trimEnd());
  });

  it("passes its own tests, and what the tools of its language check", async () => {
    await language.check(folder);
  });

  it("has the code that its generator makes", async () => {
    await language.generate(folder);
  });

  // Both sets are run at the same time, each one case after the other.
  function describeCases(cases: readonly ConformanceCase[]): void {
    describe("conformance", { concurrent: true }, () => {
      let stage: Stage | undefined;

      beforeAll(async () => {
        stage = await Stage.open(language.name, client.runner);
      });

      afterAll(async () => await stage?.[Symbol.asyncDispose]());

      for (const each of cases) {
        it(`${each.subject}: ${each.name}`, { concurrent: false }, async () => await stage?.run(each));
      }
    });
  }

  async function read(path: string): Promise<string> {
    return await readFile(join(root, "clients", language.name, path), "utf8");
  }
}
