import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { checkHealth } from "../../src/health-check.ts";
import { openPolicy, tokensFile } from "../support/access-files.ts";
import { createAuthority } from "../support/certificates.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { startSecureService } from "../support/secure-service.ts";
import { createTestDatabase } from "../support/test-database.ts";

async function check(settings: Readonly<Record<string, string>>) {
  const said: string[] = [];
  const isServing = await checkHealth(readConfig(settings), (text) => said.push(text));
  return { isServing, said: said.join("") };
}

it("a service that serves is healthy, also one that listens on all addresses", async () => {
  await using service = await startSecureService({ settings: { STELE_LISTEN: "0.0.0.0:0", STELE_INSECURE: "true" } });
  const port = service.address.split(":")[1];
  const healthy = { isServing: true, said: `127.0.0.1:${port}: SERVING\n` };
  await expect.poll(() => check({ STELE_LISTEN: `0.0.0.0:${port}`, STELE_INSECURE: "true" })).toEqual(healthy);
  expect(await check({ STELE_LISTEN: `127.0.0.1:${port}` })).toEqual(healthy);
});

it("a service with TLS and authentication is asked without a token, and whatever names its certificate has", async () => {
  const authority = await createAuthority();
  const { certificate, key } = await authority.issue({ dnsNames: ["stele.example.com"] });
  await using service = await startSecureService({
    files: {
      STELE_TLS_CERT_FILE: certificate,
      STELE_TLS_KEY_FILE: key,
      STELE_TLS_CLIENT_CA_FILE: authority.certificate,
      STELE_TOKENS_FILE: tokensFile({}),
      STELE_POLICY_FILE: openPolicy,
    },
  });
  const settings = {
    STELE_LISTEN: service.address,
    STELE_TLS_CERT_FILE: service.pathOf("STELE_TLS_CERT_FILE"),
    STELE_TLS_KEY_FILE: service.pathOf("STELE_TLS_KEY_FILE"),
  };
  const healthy = { isServing: true, said: `${service.address}: SERVING\n` };
  await expect.poll(() => check(settings)).toEqual(healthy);
  // A file that is half written concerns the service, which keeps the last good one.
  await service.overwrite("STELE_TLS_CERT_FILE", "-----BEGIN");
  await service.untilLogged("what was read before stays in force");
  expect(await check(settings)).toEqual(healthy);
});

it("a service whose database is away is not healthy", async () => {
  await using database = await createTestDatabase();
  await using proxy = new PostgresProxy({ ...database.connection, user: "stele_service" });
  await using service = await startSecureService({ settings: { DATABASE_URL: await proxy.listen() } });
  const settings = { STELE_LISTEN: service.address };
  await expect.poll(() => check(settings)).toMatchObject({ isServing: true });
  await proxy[Symbol.asyncDispose]();
  const ill = { isServing: false, said: `${service.address}: NOT_SERVING\n` };
  await expect.poll(() => check(settings), { timeout: 10_000 }).toEqual(ill);
});

it("nobody that listens, or somebody who says nothing, is not healthy", async () => {
  const silent = createServer();
  await once(silent.listen(0, "127.0.0.1"), "listening");
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : 0;
  const settings = { STELE_LISTEN: `127.0.0.1:${port}` };
  const deaf = { isServing: false, said: expect.stringMatching(/^127\.0\.0\.1:\d+: 4 DEADLINE_EXCEEDED: .*\n$/) };
  expect(await check(settings)).toEqual(deaf);
  silent.close();
  const absent = { isServing: false, said: expect.stringMatching(/^127\.0\.0\.1:\d+: 14 UNAVAILABLE: .*ECONNREFUSED/) };
  expect(await check(settings)).toEqual(absent);
});
