import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { type Authority, createAuthority, fromNow, type Identity, LOCALHOST } from "../support/certificates.ts";
import { answerOf } from "../support/fake-registry.ts";
import { openSession, statusOver } from "../support/raw-session.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type FileContent, SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";

let authority: Authority;
let server: Identity;
let service: SecureService;

beforeAll(async () => {
  authority = await createAuthority();
  server = await authority.issue(LOCALHOST);
  service = await startSecureService({ files: mutual() });
});

afterAll(async () => await service[Symbol.asyncDispose]());

/** The files of a service that knows its callers by the certificates of the authority. */
function mutual(): Record<string, FileContent> {
  return {
    STELE_TLS_CERT_FILE: server.certificate,
    STELE_TLS_KEY_FILE: server.key,
    STELE_TLS_CLIENT_CA_FILE: authority.certificate,
    STELE_POLICY_FILE: { grants: [{ role: "reader", callers: ["cert:*"], models: ["*"] }] },
  };
}

describe("a service with TLS", () => {
  it("serves whoever trusts the authority of its certificate, under each of its names", async () => {
    await using open = await startSecureService({
      files: { STELE_TLS_CERT_FILE: server.certificate, STELE_TLS_KEY_FILE: server.key },
    });
    using client = new SecureClient(open.address, { authority: authority.certificate });
    expect(await client.registerBare("m", "1.0.0")).toMatchObject({ model: "m", registeredBy: "" });
    const socket = await handshake({ servername: "" });
    expect(socket.getPeerX509Certificate()?.toString()).toBe(server.certificate);
    socket.destroy();
  });

  it("sends the certificates that lead to its authority", async () => {
    const intermediate = await authority.createIntermediate();
    const { certificate, key } = await intermediate.issue(LOCALHOST);
    await using open = await startSecureService({
      files: { STELE_TLS_CERT_FILE: certificate + intermediate.certificate, STELE_TLS_KEY_FILE: key },
    });
    using client = new SecureClient(open.address, { authority: authority.certificate });
    expect(await client.registerBare("m", "1.0.0")).toMatchObject({ version: "1.0.0" });
  });

  it("lets a client fail that does not trust it, or speaks without TLS, and goes on", async () => {
    const other = await createAuthority("Other");
    for (const trusted of [other.certificate, undefined]) {
      using client = new SecureClient(service.address, { authority: trusted });
      expect(await errorOf(client.getExact("m", "1.0.0"))).toMatchObject({ code: "UNAVAILABLE", reason: undefined });
    }
    using client = await knownClient();
    expect(await errorOf(client.getExact("m", "1.0.0"))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("speaks %s", async (version) => {
    const socket = await handshake({ minVersion: version, maxVersion: version });
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, "h2"]);
    socket.destroy();
  });

  it.each(["TLSv1", "TLSv1.1"] as const)("does not speak %s", async (version) => {
    // Without this level OpenSSL would not even offer it.
    const ancient = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" };
    await expect(handshake(ancient)).rejects.toMatchObject({ code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
  });

  it("has nothing for a client that wants another protocol than h2", async () => {
    await expect(handshake({ ALPNProtocols: ["http/1.1"] })).rejects.toMatchObject({
      code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    });
  });

  it("has nothing for a client that does not ask for h2", async () => {
    const socket = await handshake({ ALPNProtocols: [] });
    await expect(callOver(socket)).rejects.toThrow("Protocol error");
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "looks at the certificate of each connection, whatever session of %s it had before",
    async (version) => {
      await using changing = await startSecureService({ files: mutual() });
      const { certificate: cert, key } = await authority.issue({ commonName: "ci" });
      const options = { cert, key, minVersion: version, maxVersion: version };
      const first = await handshake(options, changing);
      const session = sessionOf(first);
      expect(await callOver(first)).toBe("5");
      const second = await handshake({ ...options, session: await session }, changing);
      expect([second.isSessionReused(), await callOver(second)]).toEqual([false, "5"]);
      await changing.replace("STELE_TLS_CLIENT_CA_FILE", (await createAuthority("Successor")).certificate);
      await changing.untilLogged("read again");
      const third = await handshake({ ...options, session: await session }, changing);
      expect([third.isSessionReused(), await callOver(third)]).toEqual([false, "16"]);
    },
  );
});

describe("without credentials", () => {
  it("the health is told", async () => {
    const client = new HealthClient(service.address, trusting(), byName);
    const check = async () =>
      await answerOf<HealthCheckResponse>((done) => client.check(create(HealthCheckRequestSchema), done));
    await expect.poll(async () => (await check()).status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    client.close();
  });

  it("the service describes itself", async () => {
    expect(await reflectionOf(service)).toMatchObject([expect.any(Buffer)]);
  });

  it("the service does not describe itself when that is not wanted", async () => {
    await using silent = await startSecureService({ files: mutual(), settings: { STELE_REFLECTION: "false" } });
    expect(await errorOf(reflectionOf(silent))).toMatchObject({ code: "UNIMPLEMENTED" });
  });
});

describe("a service does not start", () => {
  it.each<[string, () => Promise<Record<string, FileContent>>, RegExp]>([
    [
      "on a key of another certificate",
      async () => ({ STELE_TLS_KEY_FILE: (await authority.issue(LOCALHOST)).key }),
      /STELE_TLS_CERT_FILE and \S+STELE_TLS_KEY_FILE are not a certificate and its key/,
    ],
    ["on half a key", async () => ({ STELE_TLS_KEY_FILE: half(server.key) }), /STELE_TLS_KEY_FILE/],
    ["on an empty key", async () => ({ STELE_TLS_KEY_FILE: "" }), /STELE_TLS_KEY_FILE/],
    ["on half a certificate", async () => ({ STELE_TLS_CERT_FILE: half(server.certificate) }), /STELE_TLS_CERT_FILE/],
    ["on an empty certificate", async () => ({ STELE_TLS_CERT_FILE: "" }), /STELE_TLS_CERT_FILE/],
    [
      "on a whole certificate and half of the one that leads to its authority",
      async () => ({ STELE_TLS_CERT_FILE: server.certificate + half(authority.certificate) }),
      /STELE_TLS_CERT_FILE/,
    ],
    ["on an expired certificate", expiredFiles, /STELE_TLS_CERT_FILE expired at /],
    [
      "on half an authority",
      async () => ({ STELE_TLS_CLIENT_CA_FILE: half(authority.certificate) }),
      /STELE_TLS_CLIENT_CA_FILE is not one or more certificates in PEM/,
    ],
    [
      "on a whole authority and half of another",
      async () => ({ STELE_TLS_CLIENT_CA_FILE: authority.certificate + half(authority.certificate) }),
      /STELE_TLS_CLIENT_CA_FILE is not one or more certificates in PEM/,
    ],
    [
      "without an authority",
      async () => ({ STELE_TLS_CLIENT_CA_FILE: "\n" }),
      /STELE_TLS_CLIENT_CA_FILE is not one or more certificates in PEM/,
    ],
  ])("%s", async (_what, spoil, words) => {
    const { name, message } = await refusalOf({ files: { ...mutual(), ...(await spoil()) } });
    expect({ name, message }).toEqual({ name: "AccessError", message: expect.stringMatching(words) });
    expect(message).not.toMatch(/-----|MI[GIH]/);
  });

  it.each(["STELE_TLS_CERT_FILE", "STELE_TLS_KEY_FILE", "STELE_TLS_CLIENT_CA_FILE"])(
    "without the file of %s",
    async (setting) => {
      const { name, message } = await refusalOf({ files: mutual(), settings: { [setting]: "/nowhere/file.pem" } });
      expect({ name, message }).toEqual({ name: "AccessError", message: "cannot read /nowhere/file.pem: ENOENT" });
    },
  );
});

async function expiredFiles(): Promise<Record<string, FileContent>> {
  const { certificate, key } = await authority.issue({ ...LOCALHOST, notAfter: fromNow(-1000) });
  return { STELE_TLS_CERT_FILE: certificate, STELE_TLS_KEY_FILE: key };
}

function half(pem: string): string {
  return pem.slice(0, pem.length / 2);
}

async function refusalOf(options: Parameters<typeof startSecureService>[0]): Promise<Error> {
  // Where the access is not right, no database is asked for.
  const settings = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", ...options.settings };
  const error: unknown = await startSecureService({ ...options, settings }).then(
    () => undefined,
    (reason) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error("the service started");
}

async function knownClient(): Promise<SecureClient> {
  const identity = await authority.issue({ commonName: "ci" });
  return new SecureClient(service.address, { authority: authority.certificate, identity });
}

// An address is no server name.
const byName = { "grpc.ssl_target_name_override": "localhost" };

function trusting() {
  return credentials.createSsl(Buffer.from(authority.certificate));
}

/** Asks for the list of services; the answer as bytes. */
async function reflectionOf({ address }: SecureService): Promise<Buffer[]> {
  const client = new Client(address, trusting(), byName);
  const same = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", same, same);
  // ServerReflectionRequest.list_services [7], of no text.
  call.end(Buffer.from([0x3a, 0x00]));
  try {
    return await Array.fromAsync(call as AsyncIterable<Buffer>);
  } finally {
    client.close();
  }
}

/** A connection whose TLS handshake is over. */
async function handshake(options: ConnectionOptions, { address } = service): Promise<TLSSocket> {
  const { hostname, port } = new URL(`https://${address}`);
  const socket = connect({
    host: hostname,
    port: Number(port),
    servername: "localhost",
    ca: authority.certificate,
    ALPNProtocols: ["h2"],
    ...options,
  });
  await once(socket, "secureConnect");
  return socket;
}

/** The session that a later connection may be resumed by. */
async function sessionOf(socket: TLSSocket): Promise<Buffer | undefined> {
  if (socket.getProtocol() === "TLSv1.2") return socket.getSession();
  // Where the server sends none, nothing comes.
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  socket.once("session", resolve);
  socket.once("close", () => resolve(undefined));
  return await promise;
}

/** The status of a call over the connection, which is closed then. */
async function callOver(socket: TLSSocket): Promise<string | undefined> {
  await using raw = await openSession("https://localhost", { createConnection: () => socket });
  return await statusOver(raw.session);
}
