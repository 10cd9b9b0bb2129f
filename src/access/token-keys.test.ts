import { errors } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keySetOf, makeSigningKey, type SigningKey } from "../../test/support/token-issuer.ts";
import { RegistryError } from "../domain/errors.ts";
import { IssuerKeys, parseKeySet } from "./token-keys.ts";
import { isSafe } from "./token-rules.ts";
import { AccessError } from "./watched-files.ts";

/** The pauses that are waited for, in their order; each lasts until a test ends it. */
const pauses = vi.hoisted((): { readonly ms: number; readonly end: () => void }[] => []);

vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number, value: unknown, { signal }: { signal: AbortSignal }) =>
    new Promise((resolve, reject) => {
      pauses.push({ ms, end: () => resolve(value) });
      signal.addEventListener("abort", () => reject(signal.reason));
    }),
}));

const issuer = "https://issuer.example/realm";
const discoveryUrl = `${issuer}/.well-known/openid-configuration`;
const keysUrl = "https://keys.example/of-the-issuer";
const MINUTE_MS = 60_000;

const [first, second] = [makeSigningKey("ES256"), makeSigningKey("RS256")];

/** What the web has, by URL: JSON, or how a request fails. */
const web = new Map<string, string | Error>();
const requests: string[] = [];
const logged: { readonly context: object; readonly message: string }[] = [];
let ending: AbortController;

beforeEach(async () => {
  ending = new AbortController();
  publish(discoveryUrl, { issuer, jwks_uri: keysUrl });
  web.set(keysUrl, await keySetOf([first]));
  vi.stubGlobal("fetch", async (url: URL | string, { redirect }: RequestInit) => {
    requests.push(`${url} ${redirect}`);
    const answer = web.get(String(url));
    if (answer instanceof Error) throw answer;
    return new Response(answer ?? "nothing", { status: answer === undefined ? 404 : 200 });
  });
});

afterEach(() => {
  ending.abort();
  vi.unstubAllGlobals();
  for (const list of [pauses, requests, logged]) list.length = 0;
});

function publish(url: string, content: unknown): void {
  web.set(url, JSON.stringify(content));
}

function open(): IssuerKeys {
  const log = {
    info: () => undefined,
    warn: (context: object, message: string) => void logged.push({ context, message }),
  };
  return new IssuerKeys(issuer, { log, signal: ending.signal });
}

/** Waits until the keys rest for the nth time, and answers how long they want to. */
async function nthPause(count: number): Promise<number | undefined> {
  await vi.waitUntil(() => pauses.length >= count);
  return pauses[count - 1]?.ms;
}

/** Whether the key is found, or why not. */
async function find(keys: IssuerKeys, { kid, algorithm }: SigningKey): Promise<unknown> {
  return await Promise.resolve(keys.find({ kid, alg: algorithm }, { payload: "", signature: "" })).then(
    () => "found",
    (error: unknown) => (error instanceof RegistryError ? error.reason : error),
  );
}

describe("IssuerKeys", () => {
  it("reads them at once, where the discovery document says, and follows nobody elsewhere", async () => {
    const keys = open();
    expect(await nthPause(1)).toBe(5 * MINUTE_MS);
    expect(requests).toEqual([`${discoveryUrl} error`, `${keysUrl} manual`]);
    expect(await find(keys, first)).toBe("found");
    expect(await find(keys, second)).toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(requests).toHaveLength(2);
    expect(logged).toEqual([]);
  });

  it("reads them again every five minutes, so that a withdrawn one goes", async () => {
    const keys = open();
    await nthPause(1);
    web.set(keysUrl, await keySetOf([second]));
    pauses[0]?.end();
    expect(await nthPause(2)).toBe(5 * MINUTE_MS);
    expect(await find(keys, first)).toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(await find(keys, second)).toBe("found");
  });

  it("tries again every five seconds until it has some, and says so each time", async () => {
    const failure = new TypeError("fetch failed");
    web.set(discoveryUrl, failure);
    open();
    expect(await nthPause(1)).toBe(5_000);
    pauses[0]?.end();
    expect(await nthPause(2)).toBe(5_000);
    const message = "the keys of the token issuer are not to be had";
    expect(logged).toEqual([
      { context: { issuer, err: failure }, message },
      { context: { issuer, err: failure }, message },
    ]);
    publish(discoveryUrl, { issuer, jwks_uri: keysUrl });
    pauses[1]?.end();
    expect(await nthPause(3)).toBe(5 * MINUTE_MS);
    expect(logged).toHaveLength(2);
  });

  it("keeps the last ones while the issuer does not answer", async () => {
    const keys = open();
    await nthPause(1);
    web.set(keysUrl, new TypeError("fetch failed"));
    pauses[0]?.end();
    await nthPause(2);
    expect(await find(keys, first)).toBe("found");
    expect(logged).toHaveLength(1);
  });

  it("asks again, once for all tokens that need them, a second after the last failure and not before", async () => {
    const clock = vi.spyOn(Date, "now");
    web.set(discoveryUrl, new TypeError("fetch failed"));
    const keys = open();
    await nthPause(1);
    expect(await find(keys, first)).toBe("AUTHENTICATION_UNAVAILABLE");
    publish(discoveryUrl, { issuer, jwks_uri: keysUrl });
    const before = requests.length;
    expect(await find(keys, first)).toBe("AUTHENTICATION_UNAVAILABLE");
    expect(requests).toHaveLength(before);
    const later = Date.now() + 1001;
    clock.mockImplementation(() => later);
    expect(await Promise.all([1, 2, 3].map(() => find(keys, first)))).toEqual(["found", "found", "found"]);
    expect(requests.slice(before)).toEqual([`${discoveryUrl} error`, `${keysUrl} manual`]);
    clock.mockRestore();
  });

  it.each<[string, unknown]>([
    ["of another issuer", { issuer: `${issuer}/`, jwks_uri: keysUrl }],
    ["without an issuer", { jwks_uri: keysUrl }],
    ["without the place of the keys", { issuer }],
    ["whose keys are at no URL", { issuer, jwks_uri: "/keys" }],
    ["whose keys are where others could change them", { issuer, jwks_uri: "http://keys.example/" }],
    ["that is null", null],
  ])("does not take a discovery document %s", async (_what, document) => {
    publish(discoveryUrl, document);
    const keys = open();
    expect(await nthPause(1)).toBe(5_000);
    expect(await find(keys, first)).toBe("AUTHENTICATION_UNAVAILABLE");
    expect(logged).toHaveLength(1);
    expect(new Set(requests)).toEqual(new Set([`${discoveryUrl} error`]));
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["no JSON", "{"],
    ["no keys", "{}"],
    ["keys that are none", '{"keys": [1]}'],
  ])("does not take an answer with %s for keys", async (_what, answer) => {
    if (answer === undefined) web.delete(keysUrl);
    else web.set(keysUrl, String(answer));
    const keys = open();
    expect(await nthPause(1)).toBe(5_000);
    expect(await find(keys, first)).toBe("AUTHENTICATION_UNAVAILABLE");
    expect(logged).toHaveLength(1);
  });

  it("waits five seconds for the discovery document", async () => {
    const patience = vi.spyOn(AbortSignal, "timeout");
    open();
    await nthPause(1);
    expect(patience.mock.calls[0]).toEqual([5_000]);
    patience.mockRestore();
  });

  it("rests for ever once it is told to end", async () => {
    open();
    await nthPause(1);
    const before = requests.length;
    ending.abort();
    pauses[0]?.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect([requests.length, pauses.length]).toEqual([before, 1]);
  });
});

describe("parseKeySet", () => {
  it("finds the keys of a file", async () => {
    const keys = parseKeySet("keys.json", Buffer.from(await keySetOf([first, second])));
    const token = { payload: "", signature: "" };
    await expect(keys({ kid: first.kid, alg: "ES256" }, token)).resolves.toBeDefined();
    await expect(keys({ kid: second.kid, alg: "ES256" }, token)).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
  });

  it.each([
    ["half of it", '{"keys": [', "keys.json is not JSON"],
    ["no keys", "{}", "keys.json is not as it must be: keys: Invalid input: expected array, received undefined"],
    ["an empty list", '{"keys": []}', "keys.json is not as it must be: keys: must have a key"],
    [
      "a key without its kind",
      '{"keys": [{"kid": "1"}]}',
      "keys.json is not as it must be: keys.0.kty: Invalid input: expected string, received undefined",
    ],
  ])("refuses %s", (_what, content, message) => {
    expect(() => parseKeySet("keys.json", Buffer.from(content))).toThrow(new AccessError(message));
  });

  it.each([
    ["a key of which a part is missing", { kty: "EC", crv: "P-256", kid: "1", alg: "ES256" }],
    ["a private key", first.privateKey.export({ format: "jwk" })],
  ])("refuses %s, by which no token can be verified, without a word of it", (_what, key) => {
    const content = Buffer.from(JSON.stringify({ keys: [key] }));
    expect(() => parseKeySet("keys.json", content)).toThrow(AccessError);
    expect(() => parseKeySet("keys.json", content)).not.toThrow(key.d ?? "none");
  });
});

describe("isSafe", () => {
  it.each([
    ...["https://a.example/x", "http://localhost:8080/x", "http://127.0.0.1/", "http://[::1]:1/"],
    ...["HTTPS://A.EXAMPLE", "http://0x7f.1/"],
  ])("trusts %s", (url) => {
    expect(isSafe(new URL(url))).toBe(true);
  });

  it.each([
    ...["http://a.example/x", "http://localhost.a.example/", "http://127.0.0.1.a.example/", "http://10.0.0.1/"],
    ...["http://a.example/https://b.example", "http://localhost@a.example/", "file:///etc/keys", "ftp://localhost/"],
    ...["data:application/json,{}", "ws://localhost/"],
  ])("does not trust %s", (url) => {
    expect(isSafe(new URL(url))).toBe(false);
  });
});
