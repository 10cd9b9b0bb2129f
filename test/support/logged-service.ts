import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { openPolicy, tokensFile } from "./access-files.ts";
import { callLines, lineOf } from "./call-log.ts";
import { registerBulk } from "./held-listing.ts";
import { getVersion, openSession, openStream, statusOf } from "./raw-session.ts";
import { SecureClient } from "./secure-service.ts";
import { type ServiceProcess, startServiceProcess } from "./service-process.ts";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

/** The header of the one caller, token:alice. */
export const authorization = "Bearer of-alice";

/** A service that logs everything, has a caller with a token, and knows the models m (1.0.0) and bulky. */
export interface LoggedService extends AsyncDisposable {
  readonly service: ServiceProcess;
  readonly database: TestDatabase;
  readonly alice: SecureClient;
}

/** Starts a service that logs calls, and debug lines too. */
export async function startLoggedService(): Promise<LoggedService> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "stele-call-log-"));
  resources.defer(async () => await rm(folder, { recursive: true, force: true }));
  const [tokens, policy] = [join(folder, "tokens.json"), join(folder, "policy.json")];
  await writeFile(tokens, JSON.stringify(tokensFile({ alice: "of-alice" })));
  await writeFile(policy, JSON.stringify(openPolicy));
  const database = resources.use(await createTestDatabase());
  const access = { STELE_TOKENS_FILE: tokens, STELE_POLICY_FILE: policy };
  const service = resources.use(await startLogging(database.url, { STELE_LOG_LEVEL: "debug", ...access }));
  const alice = resources.use(new SecureClient(service.address, { authorization }));
  await alice.registerBare("m", "1.0.0");
  await registerBulk(alice, "bulky");
  await vi.waitUntil(() => callLines(service).length === 5);
  const running = resources.move();
  return { service, database, alice, [Symbol.asyncDispose]: async () => await running.disposeAsync() };
}

/** Starts a service on a database that logs calls, and lets everybody call. */
export async function startLogging(url: string, settings: Record<string, string> = {}): Promise<ServiceProcess> {
  return await startServiceProcess({ DATABASE_URL: url, STELE_LOG_CALLS: "true", ...settings });
}

/** The line of a call of alice with these headers, of GetVersion unless they say another path, and with this body. */
export async function lineOfCall(service: ServiceProcess, headers: Record<string, string>, body = getVersion) {
  await using raw = await openSession(`http://${service.address}`);
  return await lineOf(service, async () => {
    const stream = openStream(raw.session, { authorization, ...headers });
    stream.end(body);
    await statusOf(stream);
  });
}
