// The service in this process with files of certificates, tokens and rights, which a test may change while it runs.

import { randomUUID } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, InterceptingCall, type Interceptor } from "@grpc/grpc-js";
import { pino } from "pino";
import { vi } from "vitest";
import { ModelRegistryServiceClient } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import type { Identity } from "./certificates.ts";
import { RegistryClient } from "./registry-client.ts";
import { createTestDatabase } from "./test-database.ts";

/** What a file holds: text, or what is written as JSON. */
export type FileContent = string | object;

/** How a service is started. */
export interface SecureServiceOptions {
  /** The content of a file by the setting that names it, such as STELE_POLICY_FILE. */
  readonly files?: Readonly<Record<string, FileContent>>;
  /** Other settings; without DATABASE_URL the service has a fresh database. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A line of the log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly files?: readonly string[];
}

/** A running service, its files and its log. */
export interface SecureService extends AsyncDisposable {
  readonly address: string;
  /** Everything that it has logged so far. */
  readonly log: readonly LogLine[];
  /** Where the file of a setting is. */
  pathOf(setting: string): string;
  /** Puts another file in the place of a setting's file, at once. */
  replace(setting: string, content: FileContent): Promise<void>;
  /** Writes into the very file of a setting. */
  overwrite(setting: string, content: FileContent): Promise<void>;
  /**
   * The first line with these words since a file was last replaced or overwritten, or from the given index of the log on;
   * throws when there is none within 10 s.
   */
  untilLogged(words: string, from?: number): Promise<LogLine>;
}

const LOG_PATIENCE_MS = 10_000;

/** Starts the service; rejects with whatever it refuses to start with. */
export async function startSecureService({ files = {}, settings = {} }: SecureServiceOptions): Promise<SecureService> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "stele-access-"));
  stack.defer(async () => await rm(folder, { recursive: true, force: true }));
  const pathOf = (setting: string) => join(folder, setting);
  for (const [setting, content] of Object.entries(files)) await writeFile(pathOf(setting), toText(content));
  const config = readConfig({
    STELE_LISTEN: "127.0.0.1:0",
    ...Object.fromEntries(Object.keys(files).map((setting) => [setting, pathOf(setting)])),
    ...settings,
    DATABASE_URL: settings["DATABASE_URL"] ?? stack.use(await createTestDatabase()).url,
  });
  const log: LogLine[] = [];
  const logger = pino({ level: "info" }, { write: (line) => void log.push(JSON.parse(line)) });
  const { address } = stack.use(await startService(config, logger));
  const running = stack.move();
  return { address, log, pathOf, ...editing(pathOf, log), [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function editing(pathOf: SecureService["pathOf"], log: readonly LogLine[]) {
  let edited = 0;
  return {
    replace: async (setting: string, content: FileContent) => {
      edited = log.length;
      const next = `${pathOf(setting)}.${randomUUID()}`;
      await writeFile(next, toText(content));
      await rename(next, pathOf(setting));
    },
    overwrite: async (setting: string, content: FileContent) => {
      edited = log.length;
      await writeFile(pathOf(setting), toText(content));
    },
    untilLogged: async (words: string, from = edited) =>
      await vi.waitUntil(() => log.slice(from).find(({ msg }) => msg.includes(words)), {
        timeout: LOG_PATIENCE_MS,
        interval: 20,
      }),
  };
}

function toText(content: FileContent): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}

/** What a client shows of itself, and whom it trusts. */
export interface ClientOptions {
  /** The authority of the server's certificate, in PEM; undefined: the client speaks without TLS. */
  readonly authority?: string | undefined;
  readonly identity?: Identity | undefined;
  /** The authorization header; several values are sent as several headers. */
  readonly authorization?: string | readonly string[] | undefined;
}

/** A client of a service that wants to know who calls. */
export class SecureClient extends RegistryClient {
  override readonly raw: ModelRegistryServiceClient;

  constructor(address: string, { authority, identity, authorization }: ClientOptions = {}) {
    super(address);
    const channel = authority === undefined ? credentials.createInsecure() : secured(authority, identity);
    this.raw = new ModelRegistryServiceClient(address, channel, {
      "grpc.use_local_subchannel_pool": 1,
      // An address is no server name.
      "grpc.ssl_target_name_override": "localhost",
      interceptors: [authorizing([authorization ?? []].flat())],
    });
  }
}

function secured(authority: string, identity: Identity | undefined) {
  const [key, certificate] = identity ? [Buffer.from(identity.key), Buffer.from(identity.certificate)] : [null, null];
  return credentials.createSsl(Buffer.from(authority), key, certificate);
}

function authorizing(values: readonly string[]): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        for (const value of values) metadata.add("authorization", value);
        next(metadata, listener);
      },
    });
}
