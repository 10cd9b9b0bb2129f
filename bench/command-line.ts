// What the programs of this folder have in common on the command line.

import { ConfigError } from "../src/config.ts";
import { RegistryError } from "../src/domain/errors.ts";
import { EmbeddedPostgresError } from "../src/store/embedded-postgres/embedded-postgres.ts";
import { StoreError } from "../src/store/open-store.ts";

/** A mistake on the command line, in words for the person who made it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The whole number of an option, within its bounds; throws UsageError. */
export function parseCount(
  text: string | undefined,
  { option, fallback, min, max }: { option: string; fallback: number; min: number; max: number },
): number {
  if (text === undefined) return fallback;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= min && count <= max) return count;
  throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** Runs a program; its failure is told on standard error, where it has words for a person without a stack. */
export async function runProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}

/** Writes to standard output. */
export function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

const forPeople = [UsageError, ConfigError, RegistryError, StoreError, EmbeddedPostgresError];

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isMistake = "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
  if (isMistake || forPeople.some((kind) => error instanceof kind)) return error.message;
  return error.stack ?? error.message;
}
