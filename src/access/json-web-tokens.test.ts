import fc from "fast-check";
import { createLocalJWKSet } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type Claims,
  goodClaims,
  keySetOf,
  makeSigningKey,
  type SigningKey,
  signToken,
  unsignedToken,
} from "../../test/support/token-issuer.ts";
import { authenticationUnavailable } from "../domain/call-errors.ts";
import { RegistryError } from "../domain/errors.ts";
import { JsonWebTokens } from "./json-web-tokens.ts";
import type { TokenRules } from "./token-rules.ts";

const issuer = "https://issuer.example/";
const rules: TokenRules = { issuer, audience: "stele", algorithms: ["RS256", "ES256"], nameClaim: "sub" };
const key = makeSigningKey("ES256");
const rsaKey = makeSigningKey("RS256");
const keys = await keysOf(key, rsaKey);

afterEach(() => void vi.restoreAllMocks());

async function keysOf(...known: readonly SigningKey[]) {
  return createLocalJWKSet(JSON.parse(await keySetOf(known)));
}

function open(changed: Partial<TokenRules> = {}): JsonWebTokens {
  return new JsonWebTokens({ ...rules, ...changed }, keys);
}

async function sign(claims: Claims = {}, by = key): Promise<string> {
  return await signToken({ ...goodClaims(issuer), ...claims }, { key: by });
}

async function problemOf(work: Promise<string>): Promise<unknown> {
  return await work.then(
    (name) => `no problem of ${name}`,
    (error) => (error instanceof RegistryError ? error.metadata["problem"] : error),
  );
}

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

describe("JsonWebTokens", () => {
  it.each([key, rsaKey])("verifies a token signed by $algorithm and remembers it", async (by) => {
    const tokens = open();
    const token = await sign({}, by);
    expect(tokens.findVerified(token)).toBeUndefined();
    expect(await tokens.verify(token)).toBe("jwt:alice");
    expect(tokens.findVerified(token)).toBe("jwt:alice");
  });

  it("takes a token for several audiences, with claims that it does not know", async () => {
    const token = await sign({ aud: ["other", "stele"], scope: "everything", sub: "a b" });
    expect(await open().verify(token)).toBe("jwt:a b");
  });

  it("names the caller by the claim of the rules", async () => {
    const tokens = open({ nameClaim: "email" });
    expect(await tokens.verify(await sign({ email: "alice@example.org" }))).toBe("jwt:alice@example.org");
    expect(await problemOf(tokens.verify(await sign()))).toBe("invalid_name");
  });

  it.each([
    ["missing", undefined],
    ["empty", ""],
    ["a space before it", " alice"],
    ["a space after it", "alice "],
    ["a line feed in it", "ali\nce"],
    ["Cyrillic letters", "аlice"],
    ["252 characters", "a".repeat(252)],
    ["no text", 7],
    ["a list", ["alice"]],
    ["an object", { toString: "alice" }],
    ["null", null],
  ])("refuses a token whose name is %s", async (_what, sub) => {
    const tokens = open();
    const token = await sign({ sub });
    expect(await problemOf(tokens.verify(token))).toBe("invalid_name");
    expect(tokens.findVerified(token)).toBeUndefined();
  });

  it("takes a name of 251 characters", async () => {
    expect(await open().verify(await sign({ sub: "a".repeat(251) }))).toBe(`jwt:${"a".repeat(251)}`);
  });

  it.each([
    ["expired", { exp: inSeconds(-6) }],
    ["not_yet_valid", { nbf: inSeconds(60) }],
    ["wrong_claims", { exp: undefined }],
    ["wrong_claims", { exp: "2100-01-01" }],
    ["wrong_issuer", { iss: "https://issuer.example" }],
    ["wrong_issuer", { iss: undefined }],
    ["wrong_audience", { aud: "stele2" }],
    ["wrong_audience", { aud: [] }],
    ["wrong_audience", { aud: undefined }],
  ])("refuses as %s a token with %j", async (problem, claims) => {
    expect(await problemOf(open().verify(await sign(claims)))).toBe(problem);
  });

  it("lets clocks differ by less than five seconds, and remembers nothing that has expired", async () => {
    const tokens = open();
    const [late, early] = [await sign({ exp: inSeconds(-2) }), await sign({ nbf: inSeconds(3) })];
    expect(await Promise.all([tokens.verify(late), tokens.verify(early)])).toEqual(["jwt:alice", "jwt:alice"]);
    expect(tokens.findVerified(late)).toBeUndefined();
  });

  it("remembers a token for a minute, and no longer than it is good", async () => {
    const tokens = open();
    const [short, long] = [await sign({ exp: inSeconds(20) }), await sign({ exp: inSeconds(3600) })];
    await Promise.all([tokens.verify(short), tokens.verify(long)]);
    const start = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(start + 21_000);
    await vi.waitUntil(() => tokens.findVerified(short) === undefined);
    expect(tokens.findVerified(long)).toBe("jwt:alice");
    clock.mockReturnValue(start + 61_000);
    await vi.waitUntil(() => tokens.findVerified(long) === undefined);
  });

  it("forgets what was verified by keys that are replaced", async () => {
    const tokens = open();
    const [old, other] = [await sign(), await sign({}, rsaKey)];
    await tokens.verify(old);
    tokens.replaceKeys(await keysOf(rsaKey));
    expect(tokens.findVerified(old)).toBeUndefined();
    expect(await problemOf(tokens.verify(old))).toBe("wrong_signature");
    expect(await tokens.verify(other)).toBe("jwt:alice");
  });

  it("does not remember a token whose key is replaced while it is verified", async () => {
    const asked = Promise.withResolvers<void>();
    const tokens = new JsonWebTokens(rules, async (header, token) => {
      await asked.promise;
      return await keys(header, token);
    });
    const token = await sign();
    const verified = tokens.verify(token);
    tokens.replaceKeys(await keysOf(rsaKey));
    asked.resolve();
    expect(await verified).toBe("jwt:alice");
    expect(tokens.findVerified(token)).toBeUndefined();
  });

  it.each([
    ["wrong_algorithm", () => unsignedToken({ alg: "none" }, goodClaims(issuer))],
    ["wrong_algorithm", () => unsignedToken({ alg: "None", kid: key.kid }, goodClaims(issuer))],
    ["wrong_algorithm", () => signToken(goodClaims(issuer), { key: rsaKey, header: { alg: "RS512" } })],
    ["wrong_algorithm", () => signToken(goodClaims(issuer), hs256(rsaKey))],
    ["wrong_algorithm", () => unsignedToken({ alg: "ES256", crit: ["exp"], exp: 1 }, goodClaims(issuer), "AAAA")],
    ["wrong_signature", () => signToken(goodClaims(issuer), { key: makeSigningKey("ES256", key.kid) })],
    ["wrong_signature", () => signToken(goodClaims(issuer), { key: makeSigningKey("ES256") })],
    ["wrong_signature", () => unsignedToken({ alg: "ES256", kid: key.kid }, goodClaims(issuer))],
    ["wrong_signature", () => unsignedToken({ alg: "ES256", kid: rsaKey.kid }, goodClaims(issuer), "AAAA")],
    ["malformed", () => unsignedToken({ kid: key.kid }, goodClaims(issuer), "AAAA")],
    ["malformed", () => "a.b.c"],
    ["malformed", () => "..."],
    ["malformed", () => "nothing"],
    ["malformed", () => `${unsignedToken({ alg: "ES256", kid: key.kid }, goodClaims(issuer), "AAAA")}.AAAA.AAAA`],
  ])("refuses as %s what %s makes", async (problem, make) => {
    const tokens = open();
    const token = await make();
    expect(await problemOf(tokens.verify(token))).toBe(problem);
    expect(tokens.findVerified(token)).toBeUndefined();
  });

  it("refuses a good token of which one character is another", async () => {
    const tokens = open();
    const token = await sign();
    await tokens.verify(token);
    const place = fc.nat({ max: token.length - 1 });
    const character = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    await fc.assert(
      fc.asyncProperty(place, character, async (at, other) => {
        const changed = `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
        fc.pre(bytesOf(changed) !== bytesOf(token));
        expect(tokens.findVerified(changed)).toBeUndefined();
        expect(["malformed", "wrong_signature", "wrong_algorithm"]).toContain(await problemOf(tokens.verify(changed)));
      }),
    );
  });

  it("takes a token that names no key where one alone can have signed it", async () => {
    const token = await signToken(goodClaims(issuer), { key, header: { kid: undefined } });
    expect(await open().verify(token)).toBe("jwt:alice");
    const tokens = new JsonWebTokens(rules, await keysOf(key, makeSigningKey("ES256")));
    expect(await problemOf(tokens.verify(token))).toBe("wrong_signature");
  });

  it("is UNAVAILABLE where a key cannot be found or used", async () => {
    const failure = new Error("no keys");
    const tokens = new JsonWebTokens(rules, () => Promise.reject(failure));
    await expect(tokens.verify(await sign())).rejects.toEqual(authenticationUnavailable(failure));
  });
});

/** The bytes of the parts; the last character of a part has bits that stand for nothing. */
function bytesOf(token: string): string {
  const parts = token.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
  return parts.join(".");
}

/** By the public key as a shared secret, which whoever verifies by any algorithm takes for good. */
function hs256(by: SigningKey) {
  const secret = Buffer.from(by.publicKey.export({ type: "spki", format: "pem" }));
  return { key: by, header: { alg: "HS256" }, secret };
}
