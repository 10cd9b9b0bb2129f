import { once } from "node:events";
import { connect } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import { HealthCheckRequestSchema } from "../../gen/health/v1/health_pb.ts";
import { View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { policyFile, tokensFile } from "../support/access-files.ts";
import { createAuthority, type Identity, LOCALHOST } from "../support/certificates.ts";
import { everyCall } from "../support/every-call.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type ClientOptions, SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";
import { uniqueModel } from "../support/test-service.ts";
import {
  type Claims,
  goodClaims,
  keySetOf,
  makeSigningKey,
  signToken,
  unsignedToken,
} from "../support/token-issuer.ts";

const issuer = "https://issuer.example";
const ecKey = makeSigningKey("ES256");
const rsaKey = makeSigningKey("RS256");
const authority = await createAuthority();
const staticToken = "stele_a-token-of-ci";

const rights = policyFile({
  "token:ci": { reads: ["*"], registers: ["*"] },
  "jwt:alice": { reads: ["*"], registers: ["*"] },
  "cert:*": { reads: ["*"], registers: ["*"] },
});

let service: SecureService;

beforeAll(async () => {
  const server = await authority.issue(LOCALHOST);
  service = await startSecureService({
    files: {
      STELE_TLS_CERT_FILE: server.certificate,
      STELE_TLS_KEY_FILE: server.key,
      STELE_TLS_CLIENT_CA_FILE: authority.certificate,
      STELE_JWT_JWKS_FILE: await keySetOf([ecKey, rsaKey]),
      STELE_TOKENS_FILE: tokensFile({ ci: staticToken }),
      STELE_POLICY_FILE: rights,
    },
    settings: { STELE_JWT_ISSUER: issuer, STELE_JWT_AUDIENCE: "stele" },
  });
});

afterAll(async () => await service[Symbol.asyncDispose]());

function clientWith(options: ClientOptions): SecureClient {
  return new SecureClient(service.address, { authority: authority.certificate, ...options });
}

async function sign(claims: Claims = {}, by = ecKey): Promise<string> {
  return await signToken({ ...goodClaims(issuer), ...claims }, { key: by });
}

function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** The token with one bit of a part changed: 0 is the header, 1 the claims, 2 the signature. */
function flipBit(token: string, part: number): string {
  const parts = token.split(".");
  const bytes = Buffer.from(parts[part] ?? "", "base64url");
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return parts.with(part, bytes.toString("base64url")).join(".");
}

const unauthenticated = {
  code: "UNAUTHENTICATED",
  domain: "stele",
  violations: [],
  resource: undefined,
  retryDelayMs: undefined,
};

const missing = {
  ...unauthenticated,
  message:
    "the call has neither a bearer token in its authorization header nor a client certificate that this service trusts; " +
    "send one, docs/security.md shows how",
  reason: "CREDENTIALS_MISSING",
  metadata: {},
};

function invalid(problem: string, description: string) {
  const message = `the credentials are not accepted: ${description}`;
  return { ...unauthenticated, message, reason: "CREDENTIALS_INVALID", metadata: { problem, description } };
}

const notBearer = invalid("malformed", "the authorization header must be `Bearer TOKEN`");
const notSigned = invalid("malformed", "the token is neither one of this service nor a signed JWT");
const tooLong = invalid("too_long", "a token has at most 8 KiB");
const expired = invalid("expired", "the token has expired; get a fresh one");
const notYetValid = invalid("not_yet_valid", "the token is not valid yet");
const wrongIssuer = invalid("wrong_issuer", "the token is from another issuer than this service accepts");
const wrongAudience = invalid("wrong_audience", "the token is for another audience than this service");
const wrongSignature = invalid("wrong_signature", "the signature of the token is wrong");
const unknownKey = invalid("wrong_signature", "the token is signed by a key that its issuer does not have");
const withoutExpiry = invalid("wrong_claims", "the token needs an expiry (exp), as a number");
const wrongAlgorithm = invalid(
  "wrong_algorithm",
  "the token is signed by an algorithm that this service does not accept, or not at all",
);
const invalidName = invalid(
  "invalid_name",
  "the token needs a claim sub of printable ASCII and at most 251 characters",
);

async function bearer(token: string | Promise<string>): Promise<string> {
  return `Bearer ${await token}`;
}

/** By the public key as a shared secret, which whoever verifies by any algorithm takes for good. */
function signByPublicKey(): Promise<string> {
  const secret = Buffer.from(rsaKey.publicKey.export({ type: "spki", format: "pem" }));
  return signToken(goodClaims(issuer), { key: rsaKey, header: { alg: "HS256" }, secret });
}

describe.each([
  ["no token", () => undefined, missing],
  ["an empty header", () => "", notBearer],
  ["another scheme", () => `Basic ${Buffer.from("ci:secret").toString("base64")}`, notBearer],
  ["a token without a scheme", () => staticToken, notBearer],
  ["the scheme alone", () => "Bearer", notBearer],
  ["two tokens", () => `Bearer ${staticToken} ${staticToken}`, notBearer],
  ["a list of tokens", () => `Bearer ${staticToken}, Bearer ${staticToken}`, notBearer],
  ["an unknown token", () => "Bearer stele_a-token-of-nobody", notSigned],
  ["the beginning of a token", () => `Bearer ${staticToken.slice(0, -1)}`, notSigned],
  ["a token in other letters", () => `Bearer ${staticToken.toUpperCase()}`, notSigned],
  ["a malformed JWT", () => "Bearer eyJhbGciOiJFUzI1NiJ9.e30", notSigned],
  ["a JWT whose header is no JSON", () => "Bearer bm90aGluZw.e30.AAAA", notSigned],
  ["an overlong token", () => `Bearer ${"a".repeat(8193)}`, tooLong],
  ["an overlong JWT", () => bearer(sign({ padding: "a".repeat(8192) })), tooLong],
  ["an expired JWT", () => bearer(sign({ exp: inSeconds(-60) })), expired],
  ["a JWT that is not yet valid", () => bearer(sign({ nbf: inSeconds(60) })), notYetValid],
  ["a JWT of another issuer", () => bearer(sign({ iss: `${issuer}/` })), wrongIssuer],
  ["a JWT for another audience", () => bearer(sign({ aud: "other" })), wrongAudience],
  ["a JWT without an audience", () => bearer(sign({ aud: undefined })), wrongAudience],
  ["a JWT without an expiry", () => bearer(sign({ exp: undefined })), withoutExpiry],
  ["a JWT signed by RS512", () => bearer(signToken(goodClaims(issuer), rs512)), wrongAlgorithm],
  ["a JWT signed by HS256 and the public key", () => bearer(signByPublicKey()), wrongAlgorithm],
  ["an unsigned JWT", () => bearer(unsignedToken({ alg: "none" }, goodClaims(issuer))), wrongAlgorithm],
  ["a JWT signed by a forger's key", () => bearer(sign({}, makeSigningKey("ES256", ecKey.kid))), wrongSignature],
  [
    "a JWT with a bit of its claims changed",
    async () => bearer(flipBit(await sign({ a: "b".repeat(200) }), 1)),
    wrongSignature,
  ],
  ["a JWT with a bit of its signature changed", async () => bearer(flipBit(await sign(), 2)), wrongSignature],
  ["a JWT without its signature", async () => bearer((await sign()).replace(/[^.]*$/, "")), wrongSignature],
  ["a JWT of an unknown key", () => bearer(sign({}, makeSigningKey())), unknownKey],
  ["a JWT that names nobody", () => bearer(sign({ sub: undefined })), invalidName],
  ["a JWT that names a number", () => bearer(sign({ sub: 7 })), invalidName],
  ["a JWT whose name has control characters", () => bearer(sign({ sub: "alice\u001b[2K" })), invalidName],
  ["a JWT whose name has Cyrillic letters", () => bearer(sign({ sub: "аlice" })), invalidName],
  ["a JWT whose name is too long", () => bearer(sign({ sub: "a".repeat(252) })), invalidName],
])("%s", (_what, makeAuthorization, expected) => {
  it.each(everyCall)("is refused by $rpc", async ({ make }) => {
    using client = clientWith({ authorization: await makeAuthorization() });
    expect(await errorOf(make(client, uniqueModel()))).toEqual(expected);
  });
});

const rs512 = { key: rsaKey, header: { alg: "RS512" } };

describe("an authorization header that no client library sends", () => {
  it("is one beside which a good one comes through", async () => {
    // Then the service misses the message, which is not sent here.
    const { code } = await callRaw("GetVersion", { authorization: [`Bearer ${staticToken}`] });
    expect(code).toBe("12");
  });

  it.each(everyCall)("is refused by $rpc: not ASCII", async ({ rpc }) => {
    const authorization = [`Bearer ${staticToken}\u00e9`];
    expect(await callRaw(rpc, { authorization })).toMatchObject({ code: "16" });
  });

  it.each(everyCall)("is refused by $rpc also beside a good certificate: not ASCII", async ({ rpc }) => {
    const identity = await authority.issue({ commonName: "trainer" });
    const authorization = [`Bearer ${staticToken}\u00e9`];
    expect(await callRaw(rpc, { authorization, identity })).toMatchObject({ code: "16" });
  });
});

interface RawHeaders {
  readonly authorization: readonly string[];
  readonly identity?: Identity;
}

/** Calls without a message, which the service asks for once it knows the caller. */
async function callRaw(rpc: string, { authorization, identity }: RawHeaders) {
  const session = connect(`https://${service.address}`, {
    ca: authority.certificate,
    servername: "localhost",
    ...(identity && { cert: identity.certificate, key: identity.key }),
    // Known to Node, and not yet to its types.
    ...{ strictSingleValueFields: false },
  });
  const stream = session.request([
    ...[":method", "POST", ":scheme", "https", ":authority", service.address],
    ...[":path", `/stele.v1.ModelRegistryService/${rpc}`, "content-type", "application/grpc", "te", "trailers"],
    ...authorization.flatMap((value) => ["authorization", value]),
  ]);
  stream.end().resume();
  const [received] = await once(stream, "response");
  session.destroy();
  return { code: received["grpc-status"], message: decodeURIComponent(received["grpc-message"]) };
}

describe("who is known", () => {
  it.each([
    ["a static token", () => `Bearer ${staticToken}`, "token:ci"],
    ["a static token after several spaces", () => `Bearer   ${staticToken}`, "token:ci"],
    ["a static token after bearer", () => `bearer ${staticToken}`, "token:ci"],
    ["a static token after BEARER", () => `BEARER ${staticToken}`, "token:ci"],
    ["a JWT signed by ES256", () => bearer(sign()), "jwt:alice"],
    ["a JWT signed by RS256", () => bearer(sign({}, rsaKey)), "jwt:alice"],
    ["a JWT of 8 KiB", () => bearer(sign({ padding: "a".repeat(5700) })), "jwt:alice"],
  ])("by %s may call, and is recorded with what they register", async (_what, makeAuthorization, name) => {
    using client = clientWith({ authorization: await makeAuthorization() });
    const model = uniqueModel();
    expect((await client.registerBare(model, "1.0.0"))?.registeredBy).toBe(name);
    expect((await client.getExact(model, "1.0.0"))?.registeredBy).toBe(name);
    const pages = await Array.fromAsync(client.list({ model, view: View.BASIC }));
    expect(pages.flatMap((page) => page.versions.map((each) => each.modelVersion?.registeredBy))).toEqual([name]);
    expect((await Array.fromAsync(client.listModels({ prefix: model }))).length).toBe(1);
  });

  it("is recorded without validate_only's answer telling so", async () => {
    using client = clientWith({ authorization: `Bearer ${staticToken}` });
    const number = { case: "version", value: "1.0.0" } as const;
    const answer = await client.register({ model: uniqueModel(), number, validateOnly: true });
    expect(answer?.registeredBy).toBe("");
  });

  it.each(["ci", "token:ci", "cert:ci"])("by a JWT of %j has the rights of no caller of another kind", async (sub) => {
    using client = clientWith({ authorization: await bearer(sign({ sub })) });
    expect(await errorOf(client.getExact("a", "1.0.0"))).toMatchObject({
      reason: "PERMISSION_DENIED",
      metadata: { caller: `jwt:${sub}`, role: "reader" },
    });
  });
});

describe("a good client certificate", () => {
  it.each([
    ["an unknown token", "Bearer stele_a-token-of-nobody", notSigned],
    ["another scheme", "Basic Y2k6c2VjcmV0", notBearer],
    ["an empty header", "", notBearer],
  ])("does not mend %s", async (_what, authorization, expected) => {
    const identity = await authority.issue({ commonName: "trainer" });
    using client = clientWith({ authorization, identity });
    for (const { make } of everyCall) expect(await errorOf(make(client, uniqueModel()))).toEqual(expected);
  });

  it("is not who calls beside a good token", async () => {
    const identity = await authority.issue({ commonName: "trainer" });
    using client = clientWith({ authorization: `Bearer ${staticToken}`, identity });
    expect((await client.registerBare(uniqueModel(), "1.0.0"))?.registeredBy).toBe("token:ci");
  });
});

describe("without credentials", () => {
  it("the health can be asked for", async () => {
    const client = new HealthClient(service.address, credentials.createSsl(Buffer.from(authority.certificate)), {
      "grpc.ssl_target_name_override": "localhost",
    });
    const answer = await new Promise((resolve) => {
      client.check(create(HealthCheckRequestSchema), (error, response) => resolve(error ?? response));
    });
    expect(answer).toHaveProperty("status");
    client.close();
  });
});

describe("a service without JWTs", () => {
  it("tells a token that it does not know", async () => {
    await using plain = await startSecureService({
      files: { STELE_TOKENS_FILE: tokensFile({ ci: staticToken }), STELE_POLICY_FILE: rights },
    });
    using client = new SecureClient(plain.address, { authorization: await bearer(sign()) });
    const expected = invalid("unknown", "this service does not know the token");
    for (const { make } of everyCall) expect(await errorOf(make(client, uniqueModel()))).toEqual(expected);
  });
});
