import { isIP } from "node:net";
import { resolve } from "node:path";
import { z } from "zod";
import type { AccessSettings } from "./access/open-access.ts";
import { isSafe, TOKEN_ALGORITHMS } from "./access/token-rules.ts";
import type { CallLimits } from "./grpc/call-tracker.ts";

/** A problem with the settings, in words for the person who made them. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** The settings of the process, read once at its start. */
export interface Config {
  readonly listen: { readonly host: string; readonly port: number };
  /** Who may call, and by what they are known. */
  readonly access: AccessSettings;
  readonly limits: Limits;
  /** Whether the service describes itself to everybody (grpc.reflection). */
  readonly reflection: boolean;
  /** undefined: the embedded Postgres is used. */
  readonly databaseUrl: string | undefined;
  /** A read replica of it, for exact reads; undefined: there is none. */
  readonly databaseReadUrl: string | undefined;
  /** How many connections to each. */
  readonly databaseConnections: number;
  /** How long a start waits for the database. */
  readonly startPatienceMs: number;
  /** undefined: the platform's usual place for application data. */
  readonly dataDirectory: string | undefined;
  readonly preparedStatements: boolean;
  /** How many bytes of records are kept in memory. */
  readonly recordCacheBytes: number;
  /** The database roles that `migrate` sets up. */
  readonly roles: { readonly owner: string; readonly service: string };
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  /** undefined: for a person where a person looks, JSON elsewhere. */
  readonly logFormat: "json" | "pretty" | undefined;
  /** Whether each call has a line of the log. */
  readonly logsCalls: boolean;
  /** Where metrics can be fetched; undefined: nowhere. */
  readonly metricsListen: Config["listen"] | undefined;
  /** Whether spans are sent; the OpenTelemetry exporter reads where to. */
  readonly sendsSpans: boolean;
  readonly shutdownGraceMs: number;
}

/** What one replica bears. */
export interface Limits {
  /** Calls in flight, by kind. */
  readonly calls: Pick<CallLimits, "calls" | "listings">;
  readonly connections: number;
  readonly connectionAgeMs: number;
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

const path = z
  .string()
  .transform((text) => resolve(text))
  .optional();

const count = (fallback: number, min = 1) =>
  z.coerce
    .number({ error: "must be a number" })
    .int("must be a whole number")
    .min(min, `must be at least ${min}`)
    .max(1_000_000, "must be at most 1000000")
    .default(fallback);

const issuer = z
  .url({ error: "must be a URL, as the tokens have it" })
  .refine((text) => !URL.canParse(text) || isSafe(new URL(text)), "must begin with https://")
  .optional();

const algorithms = z
  .string()
  .default("RS256,ES256")
  .transform((text) => text.split(",").map((name) => name.trim()))
  .pipe(z.array(z.enum(TOKEN_ALGORITHMS, { error: `must be some of ${TOKEN_ALGORITHMS.join(",")}` })));

const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, "must be a URL such as postgres://user@host:5432/database")
  .optional();

const seconds = (fallback: number) =>
  z.coerce
    .number({ error: "must be a number of seconds" })
    .min(0, "must not be negative")
    .max(3600, "must be at most 3600")
    .default(fallback)
    .transform((value) => value * 1000);

const environmentSchema = z.object({
  STELE_LISTEN: z.string().default("127.0.0.1:50051").transform(parseAddress),
  DATABASE_URL: databaseUrl,
  DATABASE_READ_URL: databaseUrl,
  STELE_DATABASE_CONNECTIONS: count(16),
  STELE_START_PATIENCE_SECONDS: seconds(30),
  STELE_DATA_DIR: path,
  STELE_INSECURE: flag("false"),
  STELE_TLS_CERT_FILE: path,
  STELE_TLS_KEY_FILE: path,
  STELE_TLS_CLIENT_CA_FILE: path,
  STELE_JWT_ISSUER: issuer,
  STELE_JWT_AUDIENCE: z.string().optional(),
  STELE_JWT_JWKS_FILE: path,
  STELE_JWT_ALGORITHMS: algorithms,
  STELE_JWT_NAME_CLAIM: z.string().default("sub"),
  STELE_TOKENS_FILE: path,
  STELE_POLICY_FILE: path,
  STELE_REFLECTION: flag("true"),
  STELE_MAX_CALLS: count(1000),
  STELE_MAX_LISTINGS: count(200),
  STELE_MAX_CONNECTIONS: count(4096),
  STELE_MAX_CONNECTION_AGE_SECONDS: count(3600),
  STELE_PREPARED_STATEMENTS: flag("true"),
  STELE_RECORD_CACHE_MIB: count(32, 0),
  STELE_OWNER_ROLE: role("stele_owner"),
  STELE_SERVICE_ROLE: role("stele_service"),
  STELE_LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
      error: "must be fatal, error, warn, info, debug, trace or silent",
    })
    .default("info"),
  STELE_LOG_FORMAT: z.enum(["json", "pretty"], { error: "must be json or pretty" }).optional(),
  STELE_LOG_CALLS: flag("true"),
  STELE_METRICS_LISTEN: z.string().transform(parseAddress).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ error: "must be a URL such as http://localhost:4318" }).optional(),
  STELE_SHUTDOWN_GRACE_SECONDS: seconds(10),
});

/** What the settings are read for; only who serves opens a door. */
export type Purpose = "serve" | "ask";

/**
 * Reads the settings from the environment; an empty variable counts as unset.
 *
 * @throws ConfigError that names every wrong variable and what it must be.
 */
export function readConfig(environment: NodeJS.ProcessEnv, purpose: Purpose = "serve"): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ""));
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`).join("\n"));
  }
  const settings = parsed.data;
  const access = readAccess(settings);
  if (purpose === "serve" && !settings.STELE_INSECURE) refuseOpenDoor(settings.STELE_LISTEN, access);
  return {
    listen: settings.STELE_LISTEN,
    access,
    limits: {
      calls: { calls: settings.STELE_MAX_CALLS, listings: settings.STELE_MAX_LISTINGS },
      connections: settings.STELE_MAX_CONNECTIONS,
      connectionAgeMs: settings.STELE_MAX_CONNECTION_AGE_SECONDS * 1000,
    },
    reflection: settings.STELE_REFLECTION,
    databaseUrl: settings.DATABASE_URL,
    databaseReadUrl: settings.DATABASE_READ_URL,
    databaseConnections: settings.STELE_DATABASE_CONNECTIONS,
    startPatienceMs: settings.STELE_START_PATIENCE_SECONDS,
    dataDirectory: settings.STELE_DATA_DIR,
    preparedStatements: settings.STELE_PREPARED_STATEMENTS,
    recordCacheBytes: settings.STELE_RECORD_CACHE_MIB * 1024 * 1024,
    roles: { owner: settings.STELE_OWNER_ROLE, service: settings.STELE_SERVICE_ROLE },
    logLevel: settings.STELE_LOG_LEVEL,
    logFormat: settings.STELE_LOG_FORMAT,
    logsCalls: settings.STELE_LOG_CALLS,
    metricsListen: settings.STELE_METRICS_LISTEN,
    sendsSpans: settings.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined,
    shutdownGraceMs: settings.STELE_SHUTDOWN_GRACE_SECONDS,
  };
}

/** A setting as it is in force. */
export interface EffectiveSetting {
  readonly name: string;
  /** Without secrets; empty where it is not set and has no default. */
  readonly value: string;
  readonly isDefault: boolean;
}

/** Every setting that the environment makes, in the order of README.md; throws as `readConfig` does. */
export function effectiveSettings(environment: NodeJS.ProcessEnv): EffectiveSetting[] {
  readConfig(environment);
  return Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const text = environment[name]?.trim() ?? "";
    return { name, value: text === "" ? defaultOf(schema) : withoutPassword(name, text), isDefault: text === "" };
  });
}

/** A default as it would be written. */
function defaultOf(schema: unknown): string {
  if (schema instanceof z.ZodPipe) return defaultOf(schema.in);
  return schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : "";
}

function withoutPassword(name: string, text: string): string {
  const mayHoldPassword = /URL$|ENDPOINT$/.test(name);
  if (!URL.canParse(text)) return mayHoldPassword ? "(set, and no URL that can be shown without its password)" : text;
  const url = new URL(text);
  if (url.password !== "") url.password = "hidden";
  if (url.searchParams.has("password")) url.searchParams.set("password", "hidden");
  return url.href;
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

type Settings = z.output<typeof environmentSchema>;

function readAccess(settings: Settings): AccessSettings {
  refuseHalves(settings);
  const { STELE_TLS_CERT_FILE: certificate, STELE_TLS_KEY_FILE: key } = settings;
  const { STELE_JWT_ISSUER: tokenIssuer, STELE_JWT_AUDIENCE: audience } = settings;
  return {
    tls: certificate && key ? { certificate, key, clientAuthorities: settings.STELE_TLS_CLIENT_CA_FILE } : undefined,
    jwt:
      tokenIssuer && audience
        ? {
            issuer: tokenIssuer,
            audience,
            algorithms: settings.STELE_JWT_ALGORITHMS,
            nameClaim: settings.STELE_JWT_NAME_CLAIM,
            keySetFile: settings.STELE_JWT_JWKS_FILE,
          }
        : undefined,
    tokensFile: settings.STELE_TOKENS_FILE,
    policyFile: settings.STELE_POLICY_FILE,
  };
}

// A setting that would have no effect is a mistake, and one about who may call is a dangerous one.
const NEEDS = [
  ["STELE_TLS_CERT_FILE", "STELE_TLS_KEY_FILE"],
  ["STELE_TLS_KEY_FILE", "STELE_TLS_CERT_FILE"],
  ["STELE_TLS_CLIENT_CA_FILE", "STELE_TLS_CERT_FILE"],
  ["STELE_TLS_CLIENT_CA_FILE", "STELE_POLICY_FILE"],
  ["STELE_JWT_ISSUER", "STELE_JWT_AUDIENCE"],
  ["STELE_JWT_ISSUER", "STELE_POLICY_FILE"],
  ["STELE_JWT_AUDIENCE", "STELE_JWT_ISSUER"],
  ["STELE_JWT_JWKS_FILE", "STELE_JWT_ISSUER"],
  ["STELE_TOKENS_FILE", "STELE_POLICY_FILE"],
  ["DATABASE_READ_URL", "DATABASE_URL"],
] as const satisfies (keyof Settings)[][];

function refuseHalves(settings: Settings): void {
  const lacking = NEEDS.filter(([name, other]) => settings[name] !== undefined && settings[other] === undefined);
  const mistakes: string[] = lacking.map(([name, other]) => `${name} needs ${other} too`);
  const authentication = [settings.STELE_JWT_ISSUER, settings.STELE_TOKENS_FILE, settings.STELE_TLS_CLIENT_CA_FILE];
  if (settings.STELE_POLICY_FILE !== undefined && authentication.every((form) => form === undefined)) {
    mistakes.push(
      "STELE_POLICY_FILE needs a form of authentication too: " +
        "STELE_JWT_ISSUER, STELE_TOKENS_FILE or STELE_TLS_CLIENT_CA_FILE",
    );
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes.join("\n"));
}

// Anybody who reaches an open port can register for ever; beyond this machine that must be said aloud.
function refuseOpenDoor({ host }: Config["listen"], { tls, policyFile }: AccessSettings): void {
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (isLoopback || (tls !== undefined && policyFile !== undefined)) return;
  const lacking = [...(tls ? [] : ["TLS"]), ...(policyFile ? [] : ["authentication"])].join(" and ");
  throw new ConfigError(
    `STELE_LISTEN ${host} can be reached from other machines, and ${lacking} is not set up: see docs/security.md, ` +
      "listen on 127.0.0.1, or set STELE_INSECURE=true if the network itself keeps strangers out",
  );
}
