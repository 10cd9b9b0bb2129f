// The network between the service and its database breaks in every way, under load: no call hangs, no answer is false,
// and the service goes on by itself. The bounds are wide: they are about seconds, not about speed.

import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Level } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { healthOf } from "../support/health.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { RegistryLoad, seedLoad } from "../support/registry-load.ts";
import { errorOf, readError } from "../support/rpc-error.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const AWAY = "UNAVAILABLE DATABASE_UNAVAILABLE, again after 1000 ms";
const UNKNOWN = "UNKNOWN OUTCOME_UNKNOWN";
const KNOWN_WITHIN_MS = 3_000;
const BACK_WITHIN_MS = 10_000;
/** An INSERT whose outcome is unknown is followed up for 5 s, and a connection is waited for as long. */
const LONGEST_CALL_MS = 15_000;

let stack: AsyncDisposableStack;
let test: TestDatabase;
let proxy: DatabaseProxy;
let service: ServiceProcess;
let client: RegistryClient;
let load: RegistryLoad;

async function start(settings: Record<string, string> = {}): Promise<void> {
  stack = new AsyncDisposableStack();
  test = stack.use(await createTestDatabase());
  await seedLoad(test.database);
  proxy = stack.use(new DatabaseProxy(test.connection));
  const url = await proxy.listen(testRoles.service);
  service = stack.use(await startServiceProcess({ DATABASE_URL: url, STELE_RECORD_CACHE_MIB: "0", ...settings }));
  client = stack.use(new RegistryClient(service.address));
  load = new RegistryLoad(client);
}

const health = async () => await healthOf(service.address);

/** Waits until everything succeeds again, and ends the load. */
async function expectRecovery(): Promise<void> {
  await expect.poll(health, { timeout: BACK_WITHIN_MS }).toBe("SERVING");
  const since = performance.now();
  await load.untilProgress(3);
  expect(performance.now() - since).toBeLessThan(BACK_WITHIN_MS);
  await load.stop();
  expect(load.longestMs).toBeLessThan(LONGEST_CALL_MS);
  expect(await load.findViolations(client)).toEqual([]);
}

async function expectAwayWithin(timeoutMs: number): Promise<void> {
  const since = performance.now();
  const error = await errorOf(client.getExact("large", "1.0.0"));
  expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE", retryDelayMs: 1000 });
  expect(performance.now() - since).toBeLessThan(timeoutMs);
}

afterEach(async () => await stack.disposeAsync());

describe("under load", () => {
  beforeEach(async () => {
    await start();
    load.start(2);
    await load.untilProgress(3);
  });

  it.each([
    ["refuses and resets", "refusing"],
    ["is frozen", "frozen"],
    ["brings no answers", "mute"],
    ["loses everything", "gone"],
  ] as const)("a network that %s is known soon, and forgotten soon after", async (_, network) => {
    proxy.become(network);
    await expectAwayWithin(KNOWN_WITHIN_MS);
    await expect.poll(health, { timeout: KNOWN_WITHIN_MS }).toBe("NOT_SERVING");
    for (let call = 0; call < 5; call += 1) await expectAwayWithin(KNOWN_WITHIN_MS);
    proxy.become("open");
    await expectRecovery();
    expect(load.failuresBeside([AWAY, UNKNOWN])).toEqual([]);
    expect(load.hasFailure(AWAY)).toBe(true);
  });

  it("a network that takes no new connections leaves the old ones in use", async () => {
    proxy.become("closed");
    await load.untilProgress(20);
    expect(await health()).toBe("SERVING");
    proxy.become("open");
    await expectRecovery();
    expect(load.failuresBeside([AWAY])).toEqual([]);
  });

  it("a slow network makes calls slow and nothing else", async () => {
    proxy.delayMs = 50;
    await load.untilProgress(2);
    expect(await health()).toBe("SERVING");
    proxy.delayMs = 0;
    await expectRecovery();
    expect(load.failures).toEqual([]);
  });

  it("a connection that is reset in the middle of an answer costs its call, if that", async () => {
    for (let reset = 0; reset < 20; reset += 1) {
      proxy.breakNextAnswer(4096);
      await expect.poll(() => proxy.hasBrokenAnswer, { timeout: BACK_WITHIN_MS }).toBe(true);
    }
    await expectRecovery();
    expect(load.failuresBeside([AWAY])).toEqual([]);
    expect(load.failures.length).toBeLessThanOrEqual(20);
  });
});

it("a network that breaks again and again costs no answer, and no connection", async () => {
  // With a single one that were lost nothing would go on.
  await start({ STELE_DATABASE_CONNECTIONS: "1" });
  load.start(1);
  await load.untilProgress(1);
  for (const network of ["refusing", "frozen", "mute", "gone", "refusing", "frozen", "mute", "gone"] as const) {
    proxy.become(network);
    await expect.poll(health, { timeout: KNOWN_WITHIN_MS }).toBe("NOT_SERVING");
    proxy.become("open");
    await load.untilProgress(1);
  }
  await expectRecovery();
  expect(load.failuresBeside([AWAY, UNKNOWN])).toEqual([]);
});

it("what was under way when the network froze is honestly unknown, or safe to repeat", async () => {
  await start();
  const increment = { case: "increment", value: { level: Level.MINOR } } as const;
  const calls = await test.database.transaction().execute(async (transaction) => {
    await sql`lock table model_version in exclusive mode`.execute(transaction);
    const started = [
      errorOf(client.register({ model: "counted", number: increment })),
      errorOf(client.registerBare("explicit", "1.0.0")),
    ];
    await expect.poll(waitingInserts).toBe(2);
    proxy.become("frozen");
    return await Promise.all(started);
  });
  expect(calls).toMatchObject([
    { code: "UNKNOWN", reason: "OUTCOME_UNKNOWN", metadata: { model: "counted" } },
    { code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE", retryDelayMs: 1000 },
  ]);
  proxy.become("open");
  await expect.poll(health, { timeout: BACK_WITHIN_MS }).toBe("SERVING");
  const repeated = await client.registerBare("explicit", "1.0.0").then(() => undefined, readError);
  if (repeated !== undefined) {
    expect(repeated).toMatchObject({ reason: "VERSION_ALREADY_EXISTS", metadata: { identical: "true" } });
  }
  expect(await client.listAll({ model: "explicit" })).toEqual(["1.0.0"]);
});

async function waitingInserts(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and usename = ${testRoles.service} and wait_event_type = 'Lock'`.execute(
    test.database,
  );
  return rows[0]?.count ?? -1;
}

it("more calls than one slow connection bears wait or fail, and the health speaks of the database alone", async () => {
  await start({ STELE_DATABASE_CONNECTIONS: "1" });
  load.start(1);
  await load.untilProgress(1);
  proxy.delayMs = 50;
  const gets = Array.from({ length: 150 }, async () => await client.getExact("large", "1.0.0"));
  const outcomes = await Promise.allSettled(gets);
  expect(await health()).toBe("SERVING");
  proxy.delayMs = 0;
  await expectRecovery();
  const refused = gets.filter((_, index) => outcomes[index]?.status === "rejected");
  expect(refused.length).toBeLessThan(gets.length);
  for (const get of refused) expect(await errorOf(get)).toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
  expect(load.failuresBeside([AWAY])).toEqual([]);
  expect(service.stderr).not.toContain("not serving");
});

it("a database that became read-only refuses registrations, answers reads, and is used again when it no longer is", async () => {
  await start();
  await client.registerBare("m", "1.0.0");
  await setReadOnly(true);
  // A registration whose connection ends while it is under way is looked for.
  const reason = async () => (await errorOf(client.registerBare("m", "1.0.0"))).reason;
  await expect.poll(reason, { timeout: BACK_WITHIN_MS }).toBe("DATABASE_UNAVAILABLE");
  expect(await errorOf(client.registerBare("m", "2.0.0"))).toMatchObject({ code: "UNAVAILABLE", retryDelayMs: 1000 });
  const list = async () => await client.listAll({ model: "m" }).catch(() => undefined);
  await expect.poll(list, { timeout: BACK_WITHIN_MS }).toEqual(["1.0.0"]);
  await setReadOnly(false);
  const register = async () => (await client.registerBare("m", "3.0.0").catch(() => undefined))?.version;
  await expect.poll(register, { timeout: BACK_WITHIN_MS }).toBe("3.0.0");
  expect(await client.listAll({ model: "m" })).toEqual(["3.0.0", "1.0.0"]);
});

/** As in a failover: connections end, and new ones find a database that is a standby, or is one no longer. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  const { database } = test.connection;
  const setting = isReadOnly ? sql`set default_transaction_read_only = on` : sql`reset default_transaction_read_only`;
  await sql`alter database ${sql.id(database)} ${setting}`.execute(test.database);
  if (!isReadOnly) return;
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${database} and usename = ${testRoles.service}`.execute(test.database);
}
