// Nothing secret is sent or logged, whatever goes wrong and however much is logged.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import type { ServiceError } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { hashOf, openPolicy, tokensFile } from "../support/access-files.ts";
import { createAuthority, LOCALHOST } from "../support/certificates.ts";
import { everyCall } from "../support/every-call.ts";
import { openRawCall } from "../support/raw-call.ts";
import { SecureClient } from "../support/secure-service.ts";
import { createTestDatabase } from "../support/test-database.ts";
import { uniqueModel } from "../support/test-service.ts";
import { goodClaims, keySetOf, makeSigningKey, signToken, unsignedToken } from "../support/token-issuer.ts";

const url = "https://issuer.example";
const key = makeSigningKey("ES256");
const staticToken = "stele_the-static-token";
const password = "the-password-of-the-database";
const authority = await createAuthority();
const server = await authority.issue(LOCALHOST);

interface TracedService extends AsyncDisposable {
  readonly address: string;
  replace(setting: string, content: string): Promise<void>;
}

/** Starts a service that logs as much as it can to the lines. */
async function startTraced(lines: string[], files: Record<string, string>): Promise<TracedService> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "stele-secrets-"));
  stack.defer(async () => await rm(folder, { recursive: true }));
  const replace = async (setting: string, content: string) => await writeFile(join(folder, setting), content);
  for (const [setting, content] of Object.entries(files)) await replace(setting, content);
  const database = stack.use(await createTestDatabase());
  const config = readConfig({
    STELE_LISTEN: "127.0.0.1:0",
    STELE_JWT_ISSUER: url,
    STELE_JWT_AUDIENCE: "stele",
    ...Object.fromEntries(Object.keys(files).map((setting) => [setting, join(folder, setting)])),
    DATABASE_URL: database.url.replace("@", `:${password}@`),
  });
  const logger = pino({ level: "trace" }, { write: (line) => void lines.push(line) });
  const { address } = stack.use(await startService(config, logger));
  const running = stack.move();
  return { address, replace, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Everything that a client gets of an error, its binary metadata as text included. */
function textOf(error: ServiceError): string {
  const metadata = Object.entries(error.metadata?.getMap() ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
  return [error.message, error.details, ...metadata].join("\n");
}

const files = {
  STELE_TOKENS_FILE: JSON.stringify(tokensFile({ ci: staticToken })),
  STELE_POLICY_FILE: JSON.stringify(openPolicy),
  STELE_JWT_JWKS_FILE: await keySetOf([key]),
};

const jsonWebTokens: string[] = await Promise.all([
  signToken(goodClaims(url), { key }),
  signToken({ ...goodClaims(url), sub: undefined }, { key }),
  signToken({ ...goodClaims(url), exp: 1 }, { key }),
  signToken({ ...goodClaims(url), nbf: 9_999_999_999 }, { key }),
  signToken({ ...goodClaims(url), iss: "https://other.example" }, { key }),
  signToken({ ...goodClaims(url), aud: "other" }, { key }),
  signToken({ ...goodClaims(url), exp: undefined }, { key }),
  signToken(goodClaims(url), { key: makeSigningKey("ES256", key.kid) }),
  signToken(goodClaims(url), { key: makeSigningKey("RS256") }),
  signToken({ ...goodClaims(url), padding: "x".repeat(8192) }, { key }),
  unsignedToken({ alg: "none", typ: "JWT" }, goodClaims(url), "a-signature-of-nothing"),
]);

const authorizations = [
  ...[`Bearer ${staticToken}`, `Basic ${staticToken}`, staticToken, `Bearer ${staticToken} ${staticToken}`],
  ...["Bearer stele_the-token-of-somebody-else", `Bearer ${staticToken}=?`],
  ...jsonWebTokens.map((token) => `Bearer ${token}`),
];

/** The parts of the private keys, of the tokens and of the hashes, of which none may be seen. */
const secrets = [
  ...[
    staticToken,
    "stele_the-token-of-somebody-else",
    hashOf(staticToken),
    hashOf(staticToken).toUpperCase(),
    password,
  ],
  ...jsonWebTokens.flatMap((token) => token.split(".").slice(1)).filter((part) => part !== ""),
  ...linesOf(server.key),
  ...linesOf(String(key.privateKey.export({ type: "pkcs8", format: "pem" }))),
];

function linesOf(pem: string): string[] {
  return pem.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
}

async function untilLogged(lines: readonly string[], words: string): Promise<void> {
  await vi.waitUntil(() => lines.some((line) => line.includes(words)), { timeout: 10_000 });
}

function expectNoSecret(text: string): void {
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
}

describe("a service that logs everything", () => {
  const lines: string[] = [];
  let service: TracedService;

  beforeAll(async () => {
    service = await startTraced(lines, files);
  });

  afterAll(async () => await service[Symbol.asyncDispose]());

  it("logs and sends nothing of credentials, good ones or bad ones", async () => {
    const errors: string[] = [];
    for (const authorization of authorizations) {
      using client = new SecureClient(service.address, { authorization });
      const calls = everyCall.map(({ make }) => make(client, uniqueModel()));
      const results = await Promise.allSettled(calls);
      errors.push(...results.flatMap((result) => (result.status === "rejected" ? [textOf(result.reason)] : [])));
    }
    // One static token and one JWT are good: only two calls of each find no model.
    expect(errors).toHaveLength((authorizations.length - 2) * everyCall.length + 2 * 2);
    expectNoSecret(errors.join("\n"));
    expectNoSecret(lines.join("\n"));
  });

  it("writes nothing of a header that is not ASCII anywhere", async () => {
    const written: string[] = [];
    const write = (text: unknown) => Boolean(written.push(String(text)));
    const spies = [
      vi.spyOn(process.stdout, "write").mockImplementation(write),
      vi.spyOn(process.stderr, "write").mockImplementation(write),
      ...(["log", "info", "warn", "error", "debug"] as const).map((name) =>
        vi.spyOn(console, name).mockImplementation((...words) => void write(words.join(" "))),
      ),
    ];
    const from = lines.length;
    try {
      for (const { rpc } of everyCall) {
        const headers = { authorization: `Bearer ${staticToken}\u00e9\u00ff` };
        await using call = openRawCall(service.address, `/stele.v1.ModelRegistryService/${rpc}`, { headers });
        call.stream.end();
        expect((await call.trailers)["grpc-status"]).toBe("16");
      }
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    expect(written).toEqual([]);
    expectNoSecret(lines.slice(from).join("\n"));
  });

  it.each<[keyof typeof files, string, string]>([
    ["STELE_TOKENS_FILE", files.STELE_TOKENS_FILE.slice(0, -5), "is not JSON"],
    [
      "STELE_TOKENS_FILE",
      JSON.stringify({
        tokens: [
          { name: staticToken, sha256: staticToken },
          { name: "ci", sha256: hashOf(staticToken).toUpperCase() },
        ],
      }),
      "tokens.1.sha256: must be",
    ],
    ["STELE_TOKENS_FILE", JSON.stringify({ tokens: [], [staticToken]: "ci" }), "a key that is not known"],
    ["STELE_JWT_JWKS_FILE", JSON.stringify({ keys: [linesOf(server.key)] }), "keys.0"],
    ["STELE_POLICY_FILE", JSON.stringify({ grants: [{ role: staticToken }] }), "grants.0.role"],
  ])("logs nothing of what is written in a broken %s", async (setting, content, mistake) => {
    const from = lines.length;
    await service.replace(setting, content);
    await untilLogged(lines, mistake);
    expectNoSecret(lines.slice(from).join("\n"));
  });
});

describe("a service with TLS", () => {
  it("logs nothing of a key that breaks", async () => {
    const lines: string[] = [];
    const tls = { STELE_TLS_CERT_FILE: server.certificate, STELE_TLS_KEY_FILE: server.key };
    await using service = await startTraced(lines, { ...files, ...tls });
    await service.replace("STELE_TLS_KEY_FILE", server.key.slice(40));
    await untilLogged(lines, "what was read before stays in force");
    expectNoSecret(lines.join("\n"));
  });
});

describe("a service whose database is not there", () => {
  it("says so without the password", async () => {
    const lines: string[] = [];
    await using database = await createTestDatabase();
    const url = database.url.replace("@", `:${password}@`).replace(/[^/]*$/, "no-such-database");
    const config = readConfig({ STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: url });
    const log = pino({ level: "trace" }, { write: (line) => void lines.push(line) });
    const failure = await startService(config, log).catch((error: unknown) => error);
    expect(String(failure)).toContain("no-such-database");
    expectNoSecret(`${inspect(failure, { depth: 9, showHidden: true })}\n${lines.join("\n")}`);
  });
});
