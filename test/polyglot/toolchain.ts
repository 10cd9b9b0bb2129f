import { it } from "vitest";
import { endProgram } from "../support/program.ts";

/** Programs by what a person calls them, each with arguments that succeed where it is installed. */
export type Toolchain = Readonly<Record<string, readonly [program: string, ...args: string[]]>>;

/** What is missing of a toolchain, in words for the name of a test; undefined where all of it is here. */
export async function findMissing(toolchain: Toolchain): Promise<string | undefined> {
  for (const [name, [program, ...args]] of Object.entries(toolchain)) {
    const { exitCode } = await endProgram(program, args);
    if (exitCode !== 0) return `${name} is missing`;
  }
  return undefined;
}

/**
 * A test that needs what may be missing: then it is skipped with the reason in its name, or fails with it where
 * STELE_REQUIRE_TOOLCHAINS is "true".
 */
export function itUnless(missing: string | undefined, name: string, test: () => Promise<void>): void {
  if (missing === undefined) {
    it(name, test);
    return;
  }
  if (process.env["STELE_REQUIRE_TOOLCHAINS"] !== "true") {
    it.skip(`${name} (skipped: ${missing})`, test);
    return;
  }
  it(name, () => {
    throw new Error(`${missing}, and STELE_REQUIRE_TOOLCHAINS is true`);
  });
}
