import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";

/** A problem with the settings, in words for the person who made them. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The settings of the process, read once at its start. */
export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  /** undefined: the embedded Postgres is used. */
  readonly databaseUrl: string | undefined;
  /** undefined: the platform's usual place for application data. */
  readonly dataDirectory: string | undefined;
  readonly preparedStatements: boolean;
  /** The database roles that `migrate` sets up. */
  readonly roles: { readonly owner: string; readonly service: string };
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  readonly shutdownGraceMs: number;
}

const flag = (fallback: "true" | "false") =>
  z
    .enum(["true", "false"], { error: 'must be "true" or "false"' })
    .default(fallback)
    .transform((value) => value === "true");

// Postgres would cut a longer name, and refuse one of its own.
const role = (fallback: string) =>
  z
    .string()
    .refine((name) => Buffer.byteLength(name) <= 63, "must be at most 63 bytes long")
    .refine((name) => !name.startsWith("pg_"), "must not begin with pg_")
    .default(fallback);

const environmentSchema = z.object({
  STELE_LISTEN: z.string().default("127.0.0.1:50051").transform(parseAddress),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must be a URL such as postgres://user@host:5432/database")
    .optional(),
  STELE_DATA_DIR: z
    .string()
    .transform((path) => resolve(path))
    .optional(),
  STELE_INSECURE: flag("false"),
  STELE_PREPARED_STATEMENTS: flag("true"),
  STELE_OWNER_ROLE: role("stele_owner"),
  STELE_SERVICE_ROLE: role("stele_service"),
  STELE_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
      error: "must be fatal, error, warn, info, debug, trace or silent",
    })
    .default("info"),
  STELE_SHUTDOWN_GRACE_SECONDS: z.coerce
    .number({ error: "must be a number of seconds" })
    .min(0, "must not be negative")
    .max(3600, "must be at most 3600")
    .default(10),
});

/**
 * Reads the settings from the environment; an empty variable counts as unset.
 *
 * @throws ConfigError that names every wrong variable and what it must be.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ""));
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("\n"));
  }
  const settings = parsed.data;
  refuseOpenDoor(settings.STELE_LISTEN, settings.STELE_INSECURE);
  return {
    listen: settings.STELE_LISTEN,
    databaseUrl: settings.DATABASE_URL,
    dataDirectory: settings.STELE_DATA_DIR,
    preparedStatements: settings.STELE_PREPARED_STATEMENTS,
    roles: { owner: settings.STELE_OWNER_ROLE, service: settings.STELE_SERVICE_ROLE },
    logLevel: settings.STELE_LOG_LEVEL,
    shutdownGraceMs: settings.STELE_SHUTDOWN_GRACE_SECONDS * 1000,
  };
}

/** `host:port` as it is written, IPv6 addresses in brackets. */
export function formatAddress({ host, port }: Config["listen"]): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseAddress(text: string, context: z.RefinementCtx): Config["listen"] {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    context.addIssue({
      code: "custom",
      message: `must be host:port such as 127.0.0.1:50051 or [::1]:50051, not ${JSON.stringify(text)}`,
    });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

// Anybody who reaches an open port can register for ever; beyond this machine that must be said aloud.
function refuseOpenDoor({ host }: Config["listen"], insecure: boolean): void {
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (isLoopback || insecure) return;
  throw new ConfigError(
    `STELE_LISTEN ${host} can be reached from other machines, and this release has neither TLS nor authentication: ` +
      "listen on 127.0.0.1, or set STELE_INSECURE=true if the network itself keeps strangers out",
  );
}
