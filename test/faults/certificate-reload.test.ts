// Certificates and authorities are replaced in every way that people and their tools do it, while clients call: no call
// fails, and whoever connects afterwards meets the new ones.

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { beforeAll, describe, expect, it } from "vitest";
import { type Authority, createAuthority, type Identity, LOCALHOST } from "../support/certificates.ts";
import { errorOf, type RpcError, readError } from "../support/rpc-error.ts";
import { SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";

const POLICY = { grants: ["reader", "registrar"].map((role) => ({ role, callers: ["*"], models: ["*"] })) };
// Files are looked at once a second, so that this is several looks.
const SEVERAL_LOOKS_MS = 2_500;
const STAYS = "what was read before stays in force";

let root: Authority;
let authority: Authority;
let newcomers: Authority;
let caller: Identity;
let newcomer: Identity;

beforeAll(async () => {
  root = await createAuthority("Root");
  authority = await createAuthority("Clients");
  newcomers = await createAuthority("Newcomers");
  caller = await authority.issue({ commonName: "caller" });
  newcomer = await newcomers.issue({ commonName: "newcomer" });
});

describe.concurrent("while clients call", () => {
  it("files that are written in place, in two halves, take effect when they are whole", async () => {
    const [first, second] = [await root.issue(LOCALHOST), await root.issue(LOCALHOST)];
    await using service = await start(first);
    await using load = await startLoad(service);
    const all = authority.certificate + newcomers.certificate;

    await service.overwrite("STELE_TLS_CLIENT_CA_FILE", all.slice(0, -300));
    await service.untilLogged(`CLIENT_CA_FILE is not one or more certificates in PEM; ${STAYS}`);
    await sleep(SEVERAL_LOOKS_MS);
    expect(await reasonFor(service, newcomer)).toBe("CREDENTIALS_MISSING");
    expect(await reasonFor(service, caller)).toBe("MODEL_NOT_FOUND");
    await service.overwrite("STELE_TLS_CLIENT_CA_FILE", all);
    await service.untilLogged("read again");
    expect(await reasonFor(service, newcomer)).toBe("MODEL_NOT_FOUND");

    await service.overwrite("STELE_TLS_CERT_FILE", second.certificate.slice(0, 300));
    await service.untilLogged(STAYS);
    await sleep(SEVERAL_LOOKS_MS);
    expect(await certificateOf(service)).toBe(fingerprint(first));
    await service.overwrite("STELE_TLS_CERT_FILE", second.certificate);
    await service.overwrite("STELE_TLS_KEY_FILE", second.key);
    await service.untilLogged("read again");
    expect(await certificateOf(service)).toBe(fingerprint(second));

    expect(await load.stop()).toEqual([]);
    const complaints = service.log.map(({ msg }) => msg).filter((msg) => msg.includes(STAYS));
    expect(complaints).toEqual([...new Set(complaints)]);
  });

  it("files that are replaced take effect, again and again", async () => {
    await using service = await start(await root.issue(LOCALHOST));
    await using load = await startLoad(service);
    for (const others of ["", newcomers.certificate, ""]) {
      const next = await root.issue(LOCALHOST);
      await service.replace("STELE_TLS_CLIENT_CA_FILE", others + authority.certificate);
      await service.replace("STELE_TLS_KEY_FILE", next.key);
      await service.replace("STELE_TLS_CERT_FILE", next.certificate);
      await expect.poll(() => certificateOf(service), { timeout: 10_000 }).toBe(fingerprint(next));
      expect(await reasonFor(service, newcomer)).toBe(others === "" ? "CREDENTIALS_MISSING" : "MODEL_NOT_FOUND");
    }
    expect(await load.stop()).toEqual([]);
  });

  it("a directory that is swapped behind a link takes effect, as Kubernetes does it", async () => {
    await using secret = await mountSecret();
    const [first, second] = [await root.issue(LOCALHOST), await root.issue(LOCALHOST)];
    await secret.publish(first, authority.certificate);
    const settings = {
      STELE_TLS_CERT_FILE: join(secret.path, "tls.crt"),
      STELE_TLS_KEY_FILE: join(secret.path, "tls.key"),
      STELE_TLS_CLIENT_CA_FILE: join(secret.path, "ca.crt"),
    };
    await using service = await startSecureService({ files: { STELE_POLICY_FILE: POLICY }, settings });
    await using load = await startLoad(service);
    for (const [next, authorities] of [
      [second, authority.certificate + newcomers.certificate],
      [first, authority.certificate],
    ] as const) {
      await secret.publish(next, authorities);
      await expect.poll(() => certificateOf(service), { timeout: 10_000 }).toBe(fingerprint(next));
    }
    await expect.poll(() => reasonFor(service, newcomer), { timeout: 10_000 }).toBe("CREDENTIALS_MISSING");
    expect(await load.stop()).toEqual([]);
  });

  it("files that are no good, or gone, change nothing, and the log says so once", async () => {
    const [first, second] = [await root.issue(LOCALHOST), await root.issue(LOCALHOST)];
    const expired = await root.issue({ ...LOCALHOST, notAfter: new Date(Date.now() - 1000) });
    await using service = await start(first);
    await using load = await startLoad(service);

    await service.replace("STELE_TLS_KEY_FILE", second.key);
    await service.untilLogged("are not a certificate and its key");
    await sleep(SEVERAL_LOOKS_MS);
    await service.replace("STELE_TLS_KEY_FILE", expired.key);
    await service.replace("STELE_TLS_CERT_FILE", expired.certificate);
    await service.untilLogged("CERT_FILE expired at");
    await rm(service.pathOf("STELE_TLS_CERT_FILE"));
    await service.untilLogged("CERT_FILE: ENOENT");
    expect(await certificateOf(service)).toBe(fingerprint(first));

    expect(await load.stop()).toEqual([]);
    const told = service.log.filter(({ files }) => files !== undefined).map(({ level, msg }) => ({ level, msg }));
    expect(told).toEqual(
      ["are not a certificate and its key", "expired at", "ENOENT"].map((words) => ({
        level: 40,
        msg: expect.stringMatching(new RegExp(`${words}.*; ${STAYS}$`)),
      })),
    );
  });
});

async function start({ certificate, key }: Identity): Promise<SecureService> {
  return await startSecureService({
    files: {
      STELE_TLS_CERT_FILE: certificate,
      STELE_TLS_KEY_FILE: key,
      STELE_TLS_CLIENT_CA_FILE: authority.certificate,
      STELE_POLICY_FILE: POLICY,
    },
  });
}

/** Clients that call until they are stopped. */
interface Load extends AsyncDisposable {
  /** Answers what failed. */
  stop(): Promise<readonly RpcError[]>;
}

/** Resolves when a call of each kind was answered. */
async function startLoad(service: SecureService): Promise<Load> {
  const kept = clientOf(service, caller);
  await kept.registerBare("loaded", "1.0.0");
  const kinds: (() => Promise<unknown>)[] = [
    async () => await kept.getExact("loaded", "1.0.0"),
    async () => await kept.listAll({ model: "loaded" }),
    async () => {
      using client = clientOf(service, caller);
      await client.getExact("loaded", "1.0.0");
    },
  ];
  for (const call of kinds) await call();
  const failures: RpcError[] = [];
  let isStopped = false;
  const loops = kinds.map(async (call) => {
    while (!isStopped) {
      await call().catch((error) => failures.push(readError(error)));
      await sleep(2);
    }
  });
  const stop = async () => {
    isStopped = true;
    await Promise.all(loops);
    kept[Symbol.dispose]();
    return failures;
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

function clientOf({ address }: SecureService, identity: Identity): SecureClient {
  return new SecureClient(address, { authority: root.certificate, identity });
}

/** Why a new connection of the client gets nothing: MODEL_NOT_FOUND once it is known. */
async function reasonFor(service: SecureService, identity: Identity): Promise<string | undefined> {
  using client = clientOf(service, identity);
  return (await errorOf(client.getExact("nothing", "1.0.0"))).reason;
}

/** The fingerprint of the certificate that a new connection meets. */
async function certificateOf({ address }: SecureService): Promise<string | undefined> {
  const { hostname, port } = new URL(`https://${address}`);
  const names = { servername: "localhost", ALPNProtocols: ["h2"] };
  const socket = connect({ host: hostname, port: Number(port), ca: root.certificate, ...names });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  return certificate?.fingerprint256;
}

function fingerprint({ certificate }: Identity): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** A directory whose files are links into another one, which is swapped whole. */
interface Secret extends AsyncDisposable {
  readonly path: string;
  publish(identity: Identity, authorities: string): Promise<void>;
}

async function mountSecret(): Promise<Secret> {
  const path = await mkdtemp(join(tmpdir(), "stele-secret-"));
  const names = ["tls.crt", "tls.key", "ca.crt"];
  for (const name of names) await symlink(join("..data", name), join(path, name));
  let generation = 0;
  return {
    path,
    publish: async ({ certificate, key }, authorities) => {
      generation += 1;
      const directory = `..${generation}`;
      await mkdir(join(path, directory));
      for (const [index, content] of [certificate, key, authorities].entries()) {
        await writeFile(join(path, directory, names[index] ?? ""), content);
      }
      await symlink(directory, join(path, "..data_tmp"));
      await rename(join(path, "..data_tmp"), join(path, "..data"));
    },
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }),
  };
}
