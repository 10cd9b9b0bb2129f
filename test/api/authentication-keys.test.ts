import { create } from "@bufbuild/protobuf";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { GetVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { openPolicy, tokensFile } from "../support/access-files.ts";
import { errorOf, type RpcError } from "../support/rpc-error.ts";
import { SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";
import {
  goodClaims,
  keySetOf,
  makeSigningKey,
  type SigningKey,
  signToken,
  TokenIssuer,
} from "../support/token-issuer.ts";

const staticToken = "stele_static";
const notHad = "the keys of the token issuer are not to be had";
const JWKS = "STELE_JWT_JWKS_FILE";

// What is good on a token of a key that is known; the missing model says that the caller was.
const known = "MODEL_NOT_FOUND";

const unavailable: RpcError = {
  code: "UNAVAILABLE",
  message: "the keys of the token issuer are not available, so that tokens cannot be checked; try again shortly",
  reason: "AUTHENTICATION_UNAVAILABLE",
  domain: "stele",
  metadata: {},
  violations: [],
  resource: undefined,
  retryDelayMs: 1000,
};

const unknownKey = {
  code: "UNAUTHENTICATED",
  reason: "CREDENTIALS_INVALID",
  metadata: {
    problem: "wrong_signature",
    description: "the token is signed by a key that its issuer does not have",
  },
};

afterEach(() => void vi.useRealTimers());

/** Lets jose and the issuer think that so many seconds have passed; every timer goes on as before. */
function passSeconds(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 });
}

async function start(issuer: string, files = {}, settings = {}): Promise<SecureService> {
  return await startSecureService({
    files: { STELE_TOKENS_FILE: tokensFile({ ci: staticToken }), STELE_POLICY_FILE: openPolicy, ...files },
    settings: { STELE_JWT_ISSUER: issuer, STELE_JWT_AUDIENCE: "stele", ...settings },
  });
}

/** How a call with the token ends that would find no model if its caller is known. */
async function answerTo({ address }: SecureService, token: string | Promise<string>): Promise<RpcError> {
  using client = new SecureClient(address, { authorization: `Bearer ${await token}` });
  return await errorOf(client.getExact("missing", "1.0.0"));
}

async function reasonFor(service: SecureService, token: string | Promise<string>): Promise<string | undefined> {
  return (await answerTo(service, token)).reason;
}

describe("keys in a file", () => {
  const url = "https://issuer.example";
  const [old, next] = [makeSigningKey("ES256"), makeSigningKey("RS256")];
  const sign = (key: SigningKey) => signToken(goodClaims(url), { key });

  it("are those of the file that took its place, also for a token that was verified before", async () => {
    await using service = await start(url, { [JWKS]: await keySetOf([old]) });
    const token = await sign(old);
    expect(await reasonFor(service, token)).toBe(known);
    expect(await answerTo(service, sign(next))).toMatchObject(unknownKey);
    await service.replace(JWKS, await keySetOf([old, next]));
    await service.untilLogged("read again");
    expect(await reasonFor(service, token)).toBe(known);
    expect(await reasonFor(service, sign(next))).toBe(known);
    await service.replace(JWKS, await keySetOf([next]));
    await service.untilLogged("read again");
    expect(await answerTo(service, token)).toMatchObject(unknownKey);
    expect(await reasonFor(service, sign(next))).toBe(known);
  });

  it("stay when the file breaks", async () => {
    await using service = await start(url, { [JWKS]: await keySetOf([old]) });
    await service.overwrite(JWKS, '{"keys": [');
    expect(await service.untilLogged("is not JSON")).toMatchObject({ level: 40 });
    expect(await reasonFor(service, sign(old))).toBe(known);
  });
});

describe("keys of an issuer", () => {
  let keys: [SigningKey, SigningKey];

  beforeAll(() => {
    keys = [makeSigningKey("ES256"), makeSigningKey("RS256")];
  });

  it("are asked for once, however many calls there are", async () => {
    await using issuer = await TokenIssuer.start(...keys);
    await using service = await start(issuer.url);
    const tokens = await Promise.all(keys.flatMap((key) => [1, 2, 3].map(() => issuer.sign({}, { key }))));
    expect(new Set(await Promise.all(tokens.map((token) => reasonFor(service, token))))).toEqual(new Set([known]));
    for (let count = 0; count < 3; count += 1) {
      expect(await answerTo(service, issuer.sign({}, { key: makeSigningKey() }))).toMatchObject(unknownKey);
    }
    expect(issuer.requests.discovery).toBe(1);
    expect(issuer.requests.keys).toBeLessThanOrEqual(2);
  });

  it("are found where the issuer's name ends with a slash", async () => {
    await using issuer = await TokenIssuer.start(...keys);
    const iss = `${issuer.url}/`;
    issuer.document = { issuer: iss };
    await using service = await start(iss);
    expect(await reasonFor(service, issuer.sign({ iss }))).toBe(known);
    expect(await answerTo(service, issuer.sign())).toMatchObject({ metadata: { problem: "wrong_issuer" } });
  });

  it("are asked for again when a token names a new one, half a minute after the last time", async () => {
    await using issuer = await TokenIssuer.start(keys[0]);
    await using service = await start(issuer.url);
    expect(await reasonFor(service, issuer.sign())).toBe(known);
    issuer.publish(...keys);
    expect(await answerTo(service, issuer.sign({}, { key: keys[1] }))).toMatchObject(unknownKey);
    passSeconds(31);
    const before = issuer.requests.keys;
    expect(await reasonFor(service, issuer.sign({}, { key: keys[1] }))).toBe(known);
    expect(await answerTo(service, issuer.sign({}, { key: makeSigningKey() }))).toMatchObject(unknownKey);
    expect(issuer.requests.keys - before).toBe(1);
  });

  it.each(["fail", "hang up", "talk nonsense"] as const)(
    "are not needed to start, nor by static tokens, and come when the issuer does: first they %s",
    async (behaviour) => {
      await using issuer = await TokenIssuer.start(...keys);
      issuer.behave(behaviour);
      await using service = await start(issuer.url);
      expect(await answerTo(service, issuer.sign())).toEqual(unavailable);
      expect(await reasonFor(service, staticToken)).toBe(known);
      expect(await service.untilLogged(notHad, 0)).toMatchObject({ level: 40, issuer: issuer.url });
      issuer.behave("answer");
      await vi.waitUntil(async () => (await reasonFor(service, issuer.sign())) === known, { timeout: 10_000 });
      expect(await reasonFor(service, issuer.sign({}, { key: keys[1] }))).toBe(known);
    },
  );

  it("are waited for no longer than the caller waits, who then makes room for another call", async () => {
    await using issuer = await TokenIssuer.start(...keys);
    issuer.behave("hang");
    await using service = await start(issuer.url, {}, { STELE_MAX_CALLS: "1" });
    using client = new SecureClient(service.address, { authorization: `Bearer ${await issuer.sign()}` });
    const call = new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + 300 };
      const request = create(GetVersionRequestSchema, { model: "missing" });
      client.raw.getVersion(request, options, (error, response) => (error ? reject(error) : resolve(response)));
    });
    expect(await errorOf(call)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    // The client's clock may be a little ahead of the service's.
    await vi.waitUntil(async () => (await reasonFor(service, staticToken)) === known);
  });

  it("stay when the issuer goes away, and only a token that names a new one cannot be checked", async () => {
    await using issuer = await TokenIssuer.start(keys[0]);
    await using service = await start(issuer.url);
    expect(await reasonFor(service, issuer.sign())).toBe(known);
    issuer.behave("fail");
    passSeconds(31);
    expect(await reasonFor(service, issuer.sign({ sub: "bob" }))).toBe(known);
    expect(await answerTo(service, issuer.sign({}, { key: keys[1] }))).toEqual(unavailable);
    expect(await reasonFor(service, issuer.sign({ sub: "carol" }))).toBe(known);
    issuer.publish(...keys);
    issuer.behave("answer");
    expect(await reasonFor(service, issuer.sign({}, { key: keys[1] }))).toBe(known);
  });

  it.each<[string, TokenIssuer["document"]]>([
    ["of another issuer", { issuer: "https://other.example" }],
    ["without an issuer", { issuer: undefined }],
    ["without the place of the keys", { jwks_uri: undefined }],
    ["whose keys are at no URL", { jwks_uri: "keys" }],
    ["whose keys are where others could change them", { jwks_uri: "http://keys.example/keys" }],
    ["whose keys are in a file", { jwks_uri: "file:///etc/passwd" }],
  ])("are not taken by a discovery document %s", async (_what, document) => {
    await using issuer = await TokenIssuer.start(...keys);
    issuer.document = document;
    await using service = await start(issuer.url);
    expect(await answerTo(service, issuer.sign())).toEqual(unavailable);
    expect(await service.untilLogged(notHad, 0)).toMatchObject({ level: 40, issuer: issuer.url });
    expect(await reasonFor(service, staticToken)).toBe(known);
    expect(issuer.requests.keys).toBe(0);
  });

  it("are not taken from an answer that is none", async () => {
    await using issuer = await TokenIssuer.start(...keys);
    issuer.behaviour.keys = "talk nonsense";
    await using service = await start(issuer.url);
    expect(await answerTo(service, issuer.sign())).toEqual(unavailable);
    expect(await service.untilLogged(notHad, 0)).toMatchObject({ level: 40, issuer: issuer.url });
  });
});
