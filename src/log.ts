import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";

/** Where the service tells what happens: standard error, synchronously, so that the last line before an end is there. */
export async function openLog({ logLevel: level, logFormat }: Pick<Config, "logLevel" | "logFormat">): Promise<Logger> {
  const options = { level, serializers: { err: describeError } };
  const isPretty = logFormat === undefined ? process.stderr.isTTY : logFormat === "pretty";
  if (!isPretty) {
    const destination = pino.destination({ dest: 2, sync: true });
    // A full disk under the log is no reason to end.
    destination.on("error", () => undefined);
    return pino(options, destination);
  }
  const { PinoPretty: pretty } = await import("pino-pretty");
  return pino(options, pretty({ destination: 2, sync: true, ignore: "pid,hostname", singleLine: true }));
}

interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly code: unknown;
  readonly stack: string | undefined;
  readonly cause: ErrorDescription | undefined;
}

/** An error without all that others hang on it: pg, for one, the whole client with its secrets. */
export function describeError(error: unknown): ErrorDescription | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof Error)) return { ...NOTHING, type: typeof error, message: String(error) };
  const code = "code" in error ? error.code : undefined;
  return { type: error.name, message: error.message, code, stack: error.stack, cause: describeError(error.cause) };
}

const NOTHING = { code: undefined, stack: undefined, cause: undefined };
