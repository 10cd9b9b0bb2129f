import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { consoleExamples, type Example } from "../support/console-blocks.ts";
import { findGrpcurl } from "../support/grpcurl.ts";
import { findProgram } from "../support/program.ts";
import { startServiceProcess } from "../support/service-process.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const examples = consoleExamples(readme);
const withBuf = examples.filter(({ command }) => command.includes("buf curl"));
const withGrpcurl = examples.filter(({ command }) => command.includes("grpcurl -plaintext"));
const grpcurl = await findGrpcurl();
const jq = await findProgram("jq");

describe("README.md", () => {
  it("has examples of both programs and of nothing else", () => {
    expect([withBuf.length, withGrpcurl.length]).toEqual([4, 13]);
    expect(examples).toHaveLength(17);
  });

  it("shows what buf curl prints, also to somebody who first tried what the service suggests at its start", async () => {
    await expectShown(withBuf, { path: process.env["PATH"] ?? "", tryGreeting: true });
  });

  const missing = grpcurl === undefined && process.env["STELE_REQUIRE_TOOLCHAINS"] !== "true";
  it.skipIf(missing)(
    `shows what grpcurl ${jq ? "and jq print" : "prints (without jq, which is not here)"}${missing ? " (skipped: neither grpcurl nor go is here)" : ""}`,
    async () => {
      if (grpcurl === undefined) throw new Error("neither grpcurl nor go is here");
      const shown = withGrpcurl.filter(({ command }) => jq !== undefined || !command.includes("| jq "));
      await expectShown(shown, { path: `${dirname(grpcurl)}:${process.env["PATH"]}` });
    },
    300_000,
  );

  it("lists every setting that the code reads, and no other", () => {
    const config = readFileSync(new URL("../../src/config.ts", import.meta.url), "utf8");
    const read = [...config.matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
    const listed = [...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(listed.toSorted()).toEqual(read.toSorted());
    expect(read.length).toBeGreaterThan(5);
  });
});

// One after the other on one fresh service, as a reader would.
async function expectShown(
  shown: readonly Example[],
  { path, tryGreeting = false }: { path: string; tryGreeting?: boolean },
): Promise<void> {
  await using service = await startServiceProcess();
  if (tryGreeting) {
    const suggested = service.stdout.split("\n").filter((line) => line.startsWith("  npx buf curl"));
    const answers = await Promise.all(suggested.map((command) => run(command, path)));
    expect(answers).toEqual([
      expect.stringContaining("RegisterVersion"),
      expect.stringContaining('"version": "0.0.1"'),
    ]);
  }
  for (const { command, output } of shown) {
    const printed = await run(command.replaceAll("localhost:50051", service.address), path);
    expect(normalize(printed)).toBe(normalize(output));
  }
}

async function run(command: string, path: string): Promise<string> {
  const env = { ...process.env, PATH: path };
  const both = await promisify(execFile)("bash", ["-c", `{ ${command}\n} 2>&1`], { env }).catch(
    (error: { stdout: string }) => error,
  );
  return both.stdout;
}

function normalize(text: string): string {
  return text.trimEnd().replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, "TIME");
}
