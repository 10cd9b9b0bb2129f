// The process: command line, environment, signals. Words for a person go to standard output, the log to
// standard error, a JSON object a line.

import { parseArgs } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { makeToken } from "./access/static-tokens.ts";
import { AccessError } from "./access/watched-files.ts";
import { check } from "./check.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { checkHealth } from "./health-check.ts";
import { openLog } from "./log.ts";
import { type Service, startService } from "./server.ts";
import { EmbeddedPostgresError } from "./store/embedded-postgres/embedded-postgres.ts";
import { migrateStore, StoreError } from "./store/open-store.ts";

const usage = `Stele ${packageJson.version}, an immutable version registry for machine-learning models

  npm start                 serve on STELE_LISTEN (127.0.0.1:50051)
  npm run migrate           bring the database of DATABASE_URL to the schema of this release
  npm run -s check:setup    say the settings in force, and whether files and databases can be used
  npm run -s health         ask the service that runs with these settings for its health; exit code 0: it serves
  npm run -s token NAME     print a new token of the caller token:NAME, and add its hash to STELE_TOKENS_FILE

  --help, --version

Settings are environment variables; README.md has their table.
`;

interface Command {
  readonly run: (operand: string | undefined) => Promise<void>;
  readonly maxOperands: number;
}

const commands: ReadonlyMap<string, Command> = new Map([
  ["serve", { run: serve, maxOperands: 0 }],
  ["migrate", { run: migrate, maxOperands: 0 }],
  ["check", { run: async () => await check(process.env, say), maxOperands: 0 }],
  ["health", { run: health, maxOperands: 0 }],
  ["token", { run: token, maxOperands: 1 }],
]);

async function main(): Promise<void> {
  const { values, positionals } = parseCommandLine();
  if (values.help) return say(usage);
  if (values.version) return say(`${packageJson.version}\n`);
  const [name = "serve", ...operands] = positionals;
  const command = commands.get(name);
  if (command === undefined || operands.length > command.maxOperands)
    throw new ConfigError(`no such command: ${positionals.join(" ")}; see --help`);
  await command.run(operands[0]);
}

function parseCommandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } },
    });
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
}

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = await openLog(config);
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  let isStarting = true;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // A start has nothing to finish: the embedded Postgres ends with this process.
    process.once(signal, () => (isStarting ? process.exit(0) : stopped.resolve(signal)));
  }
  const service = await startService(config, log);
  isStarting = false;
  say(greeting(service, config.access));
  const signal = await stopped.promise;
  say(`${signal}: finishing the calls in flight; once more to stop at once\n`);
  await service[Symbol.asyncDispose]();
  // A database that does not answer any more must not keep the process.
  process.exit(0);
}

async function migrate(): Promise<void> {
  const config = readConfig(process.env);
  const { databaseUrl, roles } = config;
  if (databaseUrl === undefined) {
    throw new ConfigError("DATABASE_URL is not set; the embedded database migrates by itself when the service starts");
  }
  const applied = await migrateStore(databaseUrl, { roles, log: await openLog(config) });
  say(applied.length === 0 ? "the schema is current\n" : `applied: ${applied.join(", ")}\n`);
}

async function health(): Promise<void> {
  if (!(await checkHealth(readConfig(process.env), say))) process.exitCode = 1;
}

async function token(name: string | undefined): Promise<void> {
  if (name === undefined) throw new ConfigError("say whose token it is, as in `npm run -s token ci`");
  const path = process.env["STELE_TOKENS_FILE"] ?? "";
  if (path === "") throw new ConfigError("set STELE_TOKENS_FILE to the file that the hash of the token is added to");
  say(`${await makeToken(path, name)}\n`);
}

function greeting({ address, storeDescription }: Service, { tls, policyFile }: Config["access"]): string {
  const isOpen = tls === undefined && policyFile === undefined;
  return `Stele ${packageJson.version} listens on ${address}, ${storeDescription}.

${isOpen ? firstCalls(address) : "docs/security.md shows how to call a service with TLS or authentication."}
Ctrl-C stops it.
`;
}

function firstCalls(address: string): string {
  return `Try next, in another terminal of this folder:
  npx buf curl --http2-prior-knowledge --protocol grpc --list-methods http://${address}
  npx buf curl --http2-prior-knowledge --protocol grpc -d '{"model": "hello", "version": "0.0.1"}' http://${address}/stele.v1.ModelRegistryService/RegisterVersion
  grpcurl -plaintext ${address} list
`;
}

function say(text: string): void {
  process.stdout.write(text);
}

// A failure with words for a person needs no stack.
function explain(error: unknown): string {
  if (
    error instanceof ConfigError ||
    error instanceof AccessError ||
    error instanceof StoreError ||
    error instanceof EmbeddedPostgresError
  ) {
    return error.message;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// Whoever read what is said may have read enough.
process.stdout.on("error", () => undefined);

try {
  await main();
} catch (error) {
  process.stderr.write(`stele: ${explain(error)}\n`);
  process.exitCode = 1;
}
