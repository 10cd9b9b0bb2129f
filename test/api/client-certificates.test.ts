import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Authority,
  createAuthority,
  fromNow,
  type Identity,
  issueSelfSigned,
  LOCALHOST,
} from "../support/certificates.ts";
import { errorOf } from "../support/rpc-error.ts";
import { SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";

const EVERYTHING = {
  grants: ["reader", "registrar"].map((role) => ({ role, callers: ["cert:*"], models: ["*"] })),
};
const SECOND_MS = 1000;

let authority: Authority;
let server: Identity;
let service: SecureService;

beforeAll(async () => {
  authority = await createAuthority();
  server = await authority.issue(LOCALHOST);
  service = await startMutual();
});

afterAll(async () => await service[Symbol.asyncDispose]());

async function startMutual(): Promise<SecureService> {
  return await startSecureService({
    files: {
      STELE_TLS_CERT_FILE: server.certificate,
      STELE_TLS_KEY_FILE: server.key,
      STELE_TLS_CLIENT_CA_FILE: authority.certificate,
      STELE_POLICY_FILE: EVERYTHING,
    },
  });
}

function clientOf({ address }: SecureService, identity?: Identity): SecureClient {
  return new SecureClient(address, { authority: authority.certificate, identity });
}

/** A call of each method. */
const methods: Record<string, (client: SecureClient) => Promise<unknown>> = {
  RegisterVersion: async (client) => await client.registerBare("m", "1.0.0"),
  GetVersion: async (client) => await client.getExact("m", "1.0.0"),
  ListVersions: async (client) => await client.listAll({ model: "m" }),
  ListModels: async (client) => await Array.fromAsync(client.listModels({})),
};

const refusal = { domain: "stele", violations: [], resource: undefined, retryDelayMs: undefined };

const missing = {
  ...refusal,
  code: "UNAUTHENTICATED",
  message:
    "the call has neither a bearer token in its authorization header nor a client certificate that this service trusts; " +
    "send one, docs/security.md shows how",
  reason: "CREDENTIALS_MISSING",
  metadata: {},
};

function invalid(problem: string, description: string) {
  return {
    ...refusal,
    code: "UNAUTHENTICATED",
    message: `the credentials are not accepted: ${description}`,
    reason: "CREDENTIALS_INVALID",
    metadata: { problem, description },
  };
}

const invalidName = invalid(
  "invalid_name",
  "the client certificate needs one URI, or one common name, of printable ASCII and at most 250 characters",
);

describe("a call with a client certificate", () => {
  it.each<[string, () => Promise<Identity | undefined>]>([
    ["that is not there", async () => undefined],
    ["of another authority", async () => await (await createAuthority("Other")).issue({ commonName: "ci" })],
    ["of another authority of that name", async () => await (await createAuthority()).issue({ commonName: "ci" })],
    ["that is self-signed", async () => await issueSelfSigned({ commonName: "ci" })],
    ["that has expired", () => authority.issue({ commonName: "ci", notAfter: fromNow(-SECOND_MS) })],
    ["that is not valid yet", () => authority.issue({ commonName: "ci", notBefore: fromNow(600 * SECOND_MS) })],
    ["that is for servers only", () => authority.issue({ commonName: "ci", usages: ["serverAuth"] })],
  ])("%s counts as without, for every method", async (_what, issue) => {
    await expectEveryMethodToFail(await issue(), missing);
  });

  it.each([
    ["two URIs", { uris: ["spiffe://test/a", "spiffe://test/b"] }],
    ["two URIs and a common name", { commonName: "ci", uris: ["spiffe://test/a", "spiffe://test/b"] }],
    ["two common names", { commonName: ["ci", "admin"] }],
    ["no name", { dnsNames: ["localhost"] }],
    ["an empty common name", { commonName: "" }],
    ["an empty URI", { commonName: "ci", uris: [""] }],
    ["a common name with a line feed", { commonName: "ci\nadmin" }],
    ["a common name with a zero byte", { commonName: "ci\0admin" }],
    ["a common name that is not ASCII", { commonName: "cï" }],
    ["a common name that ends with a space", { commonName: "ci " }],
    ["a common name that is too long", { commonName: "x".repeat(251) }],
    ["a URI with a control character", { uris: ["spiffe://test/a\u0001b"] }],
    ["a URI with a line feed", { uris: ["spiffe://test/a\nb"] }],
    ["a URI that is not ASCII", { uris: ["spiffe://test/\u00e9"] }],
    ["a URI that is too long", { uris: [`spiffe://${"x".repeat(242)}`] }],
  ])("of %s is refused by every method", async (_what, options) => {
    await expectEveryMethodToFail(await authority.issue(options), invalidName);
  });

  it.each([
    ["a common name", { commonName: "ci" }, "cert:ci"],
    ["a common name with spaces and signs", { commonName: 'a, "b" = c' }, 'cert:a, "b" = c'],
    ["a URI", { uris: ["spiffe://test/ci"] }, "cert:spiffe://test/ci"],
    ["a URI beside a common name", { commonName: "cn", uris: ["spiffe://test/both"] }, "cert:spiffe://test/both"],
    ["a URI beside host names", { ...LOCALHOST, uris: ["spiffe://test/host"] }, "cert:spiffe://test/host"],
    ["a host name that looks like a URI", { commonName: "dns", dnsNames: ["x, URI:spiffe://test/admin"] }, "cert:dns"],
    ["a URI with a comma", { uris: ["spiffe://test/a,b"] }, "cert:spiffe://test/a,b"],
    ["the longest common name", { commonName: "x".repeat(250) }, `cert:${"x".repeat(250)}`],
  ])("is known by %s", async (_what, options, name) => {
    using client = clientOf(service, await authority.issue(options));
    const model = `by-${crypto.randomUUID()}`;
    expect(await client.registerBare(model, "1.0.0")).toMatchObject({ model, registeredBy: name });
    expect(await client.getExact(model, "1.0.0")).toMatchObject({ registeredBy: name });
    expect(await client.listAll({ model })).toEqual(["1.0.0"]);
  });

  it("of a stranger who takes the authority's name for theirs disturbs nobody else", async () => {
    const stranger = await createAuthority();
    const forged = await stranger.issue({ commonName: "ci", namesIssuerKey: false });
    using client = clientOf(service, await authority.issue({ commonName: "ci" }));
    for (let attempt = 0; attempt < 20; attempt += 1) {
      using other = clientOf(service, forged);
      const [refused, answered] = await Promise.all([
        errorOf(other.getExact("nothing", "1.0.0")),
        errorOf(client.getExact("nothing", "1.0.0")),
      ]);
      // OpenSSL leaves the wrong signature among its errors, and Node closes the connection for it.
      expect(["UNAUTHENTICATED", "UNAVAILABLE"]).toContain(refused.code);
      expect(answered.reason).toBe("MODEL_NOT_FOUND");
    }
  });

  it("is refused from the moment on at which it expires, on a connection that is there", async () => {
    using client = clientOf(service, await authority.issue({ commonName: "brief", notAfter: fromNow(3 * SECOND_MS) }));
    const reason = async () => (await errorOf(client.getExact("nothing", "1.0.0"))).reason;
    expect(await reason()).toBe("MODEL_NOT_FOUND");
    await expect.poll(reason, { timeout: 10 * SECOND_MS, interval: 100 }).not.toBe("MODEL_NOT_FOUND");
    expect(await errorOf(client.getExact("nothing", "1.0.0"))).toEqual(
      invalid("expired", "the client certificate has expired"),
    );
  });
});

async function expectEveryMethodToFail(identity: Identity | undefined, error: object): Promise<void> {
  using client = clientOf(service, identity);
  for (const [method, call] of Object.entries(methods)) {
    expect({ method, ...(await errorOf(call(client))) }).toEqual({ method, ...error });
  }
}
