// The process: command line, environment, signals. Words for a person go to standard output, the log to standard error.
// Each command loads what it needs, because a probe asks for the health every few seconds.

import { parseArgs } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { type Config, ConfigError, readConfig } from "./config.ts";
import { openLog } from "./log.ts";
import type { Service } from "./server.ts";

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
  ["check", { run: check, maxOperands: 0 }],
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

const SAME_SIGNAL_MS = 500;

async function serve(): Promise<void> {
  const config = readConfig(process.env);
  const log = await openLog(config);
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  let isStarting = true;
  let firstAt = Infinity;
  const onSignal = (signal: NodeJS.Signals) => {
    // A start has nothing to finish: the embedded Postgres ends with this process.
    if (isStarting) process.exit(0);
    // A terminal signals npm and this process, and npm passes it on: that is one.
    else if (performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(1);
    firstAt = Math.min(firstAt, performance.now());
    stopped.resolve(signal);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  const { startService } = await import("./server.ts");
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
  const config = readConfig(process.env, "ask");
  const { databaseUrl, roles } = config;
  if (databaseUrl === undefined) {
    throw new ConfigError("DATABASE_URL is not set; the embedded database migrates by itself when the service starts");
  }
  const { migrateStore } = await import("./store/open-store.ts");
  const applied = await migrateStore(databaseUrl, { roles, log: await openLog(config) });
  say(applied.length === 0 ? "the schema is current\n" : `applied: ${applied.join(", ")}\n`);
}

async function check(): Promise<void> {
  const { checkSetup } = await import("./check.ts");
  await checkSetup(process.env, say);
}

async function health(): Promise<void> {
  const { checkHealth } = await import("./health-check.ts");
  if (!(await checkHealth(readConfig(process.env, "ask"), say))) process.exitCode = 1;
}

async function token(name: string | undefined): Promise<void> {
  if (name === undefined) throw new ConfigError("say whose token it is, as in `npm run -s token ci`");
  const path = process.env["STELE_TOKENS_FILE"] ?? "";
  if (path === "") throw new ConfigError("set STELE_TOKENS_FILE to the file that the hash of the token is added to");
  const { makeToken } = await import("./access/static-tokens.ts");
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

// By name, so that a command need not load what the others throw.
const WITH_WORDS_FOR_A_PERSON = new Set(["ConfigError", "AccessError", "StoreError", "EmbeddedPostgresError"]);

// A failure with words for a person needs no stack.
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return WITH_WORDS_FOR_A_PERSON.has(error.name) ? error.message : (error.stack ?? error.message);
}

// Whoever read what is said may have read enough.
process.stdout.on("error", () => undefined);

try {
  await main();
} catch (error) {
  process.stderr.write(`stele: ${explain(error)}\n`);
  process.exitCode = 1;
}
