import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ConformanceCase, readCases } from "../conformance/cases.ts";
import { Stage } from "../conformance/stage.ts";
import { endProgram } from "../support/program.ts";
import { type Client, copyClient, type Language } from "./languages.ts";
import { findMissing, itUnless } from "./toolchain.ts";

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
  const original = fileURLToPath(new URL(`../../clients/${language.name}`, import.meta.url));
  let temporary: string;
  let folder: string;
  let client: Client;

  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), `stele-${language.name}-`));
    folder = await copyClient(language, temporary);
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
    if (language.generated === undefined) return;
    const [before, after] = [join(original, language.generated), join(folder, language.generated)];
    expect(await endProgram("diff", ["-r", "--exclude=__pycache__", before, after])).toMatchObject({
      stdout: "",
      exitCode: 0,
    });
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
    return await readFile(join(original, path), "utf8");
  }
}
