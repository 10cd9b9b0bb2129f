// What a client does to a connection concerns that connection alone, and it lasts no longer than a client that means well
// needs. The few waits here are those that the service promises; they run at once.

import type { ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, type Identity, LOCALHOST } from "../support/certificates.ts";
import { openSession, openStream, type RawSession, roundTrip, statusOf, statusOver } from "../support/raw-session.ts";
import { errorOf } from "../support/rpc-error.ts";
import { SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";

const HALF_PREFACE = "PRI * HTTP/2";
// The first bytes of a ClientHello that says it has 512.
const HALF_HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
const HANDSHAKE_BOUND_MS = 20_000;

let authority: string;
let server: Identity;
let plain: SecureService;
let secure: SecureService;

beforeAll(async () => {
  const issuer = await createAuthority();
  authority = issuer.certificate;
  server = await issuer.issue(LOCALHOST);
  plain = await startSecureService({});
  secure = await startSecure();
});

afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
});

async function startSecure(settings: Record<string, string> = {}): Promise<SecureService> {
  return await startSecureService({
    files: { STELE_TLS_CERT_FILE: server.certificate, STELE_TLS_KEY_FILE: server.key },
    settings,
  });
}

describe.concurrent("within the time that is promised", () => {
  it("a connection is closed that sends nothing or half a preface, while one that speaks stays", async () => {
    await using speaking = await sessionOf(plain);
    const silent = [openSocket(plain, ""), openSocket(plain, HALF_PREFACE)];
    await Promise.all(silent.map((socket) => closed(socket, HANDSHAKE_BOUND_MS)));
    expect(await statusOver(speaking.session)).toBe("5");
  });

  it("a connection is closed that does not finish its TLS handshake, or sends no preface after it", async () => {
    await using speaking = await secureSessionOf(secure);
    const silent = [openSocket(secure, ""), openSocket(secure, HALF_HELLO)];
    for (const bytes of ["", HALF_PREFACE]) silent.push(openTlsSocket(secure, bytes));
    await Promise.all(silent.map((socket) => closed(socket, HANDSHAKE_BOUND_MS)));
    expect(await statusOver(speaking.session)).toBe("5");
  });
});

describe.each([
  ["TLS", startSecure],
  ["no TLS", async (settings: Record<string, string>) => await startSecureService({ settings })],
])("with %s, more connections than the limit", (kind, start) => {
  it("are refused, those there go on, and new ones are accepted when some are gone", async () => {
    await using service = await start({ STELE_MAX_CONNECTIONS: "2" });
    const open = () => new SecureClient(service.address, { authority: kind === "TLS" ? authority : undefined });
    using first = open();
    const second = open();
    for (const client of [first, second]) expect(await reasonOf(client)).toBe("MODEL_NOT_FOUND");
    for (let attempt = 0; attempt < 5; attempt += 1) {
      using refused = open();
      expect(await errorOf(refused.getExact("m", "1.0.0"))).toMatchObject({ code: "UNAVAILABLE", reason: undefined });
    }
    for (const client of [first, second]) expect(await reasonOf(client)).toBe("MODEL_NOT_FOUND");
    second[Symbol.dispose]();
    const accepted = async () => {
      using third = open();
      return await reasonOf(third);
    };
    await expect.poll(accepted).toBe("MODEL_NOT_FOUND");
    expect(await reasonOf(first)).toBe("MODEL_NOT_FOUND");
  });
});

describe("a replica that stops", () => {
  it.each(["TLS", "no TLS"])("does not wait for connections that are half open or idle, with %s", async (kind) => {
    // Longer than the test may take.
    const settings = { STELE_SHUTDOWN_GRACE_SECONDS: "3600" };
    const service = kind === "TLS" ? await startSecure(settings) : await startSecureService({ settings });
    const { session } = await (kind === "TLS" ? secureSessionOf : sessionOf)(service);
    const sockets = [openSocket(service, ""), openSocket(service, kind === "TLS" ? HALF_HELLO : HALF_PREFACE)];
    if (kind === "TLS") sockets.push(openTlsSocket(service, ""));
    expect(await statusOver(session)).toBe("5");
    // Long before they would be closed by themselves.
    const gone = Promise.all([...sockets, session].map((socket) => closed(socket, 5_000)));
    await service[Symbol.asyncDispose]();
    await gone;
  });

  it("cuts a call that does not send its message when its grace is over", async () => {
    const service = await startSecureService({ settings: { STELE_SHUTDOWN_GRACE_SECONDS: "0.2" } });
    const { session } = await sessionOf(service);
    const stream = openStream(session);
    const outcome = expect(statusOf(stream)).rejects.toThrow();
    await roundTrip(session);
    await service[Symbol.asyncDispose]();
    await outcome;
  });
});

async function reasonOf(client: SecureClient): Promise<string | undefined> {
  return (await errorOf(client.getExact("m", "1.0.0"))).reason;
}

async function sessionOf({ address }: SecureService): Promise<RawSession> {
  return await openSession(`http://${address}`);
}

async function secureSessionOf({ address }: SecureService): Promise<RawSession> {
  return await openSession(`https://${address}`, { ca: authority, servername: "localhost" });
}

function openSocket({ address }: SecureService, bytes: string | Buffer): Socket {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect({ host: hostname, port: Number(port) });
  if (bytes.length > 0) socket.write(bytes);
  return tolerant(socket);
}

function openTlsSocket({ address }: SecureService, bytes: string): Socket {
  const { hostname, port } = new URL(`http://${address}`);
  const names = { servername: "localhost", ALPNProtocols: ["h2"] };
  const socket = connectTls({ host: hostname, port: Number(port), ca: authority, ...names });
  if (bytes.length > 0) socket.write(bytes);
  return tolerant(socket);
}

/** How a connection ends does not matter, and neither does what it still brings. */
function tolerant(socket: Socket): Socket {
  return socket.on("error", () => undefined).resume();
}

async function closed(socket: Socket | ClientHttp2Session, boundMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`the connection is there after ${boundMs} ms`)), boundMs);
  socket.once("close", () => resolve());
  await promise.finally(() => clearTimeout(timer));
}
