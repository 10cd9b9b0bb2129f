// A primary and a streaming standby. What the replica has is true, and what it lacks proves nothing, however it behaves.

import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { healthOf } from "../support/health.ts";
import { OwnPostgres } from "../support/own-postgres.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { RegistryLoad, seedLoad } from "../support/registry-load.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";

const AWAY = "UNAVAILABLE DATABASE_UNAVAILABLE, again after 1000 ms";
const UNKNOWN = "UNKNOWN OUTCOME_UNKNOWN";
const IN_TIME_MS = 3_000;
const model = "large";

let stack: AsyncDisposableStack;
let primary: OwnPostgres;
let standby: OwnPostgres;
let proxy: DatabaseProxy;
let primaryUrl: string;
let service: ServiceProcess;
let client: RegistryClient;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  primary = stack.use(await OwnPostgres.create());
  await primary.start();
  await primary.migrate();
  await seed();
  await primary.stop();
  standby = stack.use(await primary.createStandby());
  await primary.start();
  await standby.start();
  await untilStreaming();
  proxy = stack.use(new DatabaseProxy(primary.connection));
  primaryUrl = await proxy.listen(testRoles.service);
});

afterEach(async () => await stack.disposeAsync());

async function seed(): Promise<void> {
  await using database = primary.open();
  await seedLoad(database);
}

async function untilStreaming(): Promise<void> {
  await using database = primary.open();
  const streams = async () =>
    (await sql`select from pg_stat_replication where state = 'streaming'`.execute(database)).rows.length;
  await expect.poll(streams, { timeout: 10_000 }).toBe(1);
}

async function startService(replicaUrl: string, recordCacheMib = 0): Promise<void> {
  const settings = { DATABASE_URL: primaryUrl, DATABASE_READ_URL: replicaUrl };
  service = stack.use(await startServiceProcess({ ...settings, STELE_RECORD_CACHE_MIB: String(recordCacheMib) }));
  client = stack.use(new RegistryClient(service.address));
}

const getRange = async () => await client.get({ model, selector: { case: "range", value: "1.0.0 - 1.0.7" } });

describe("a replica that follows", () => {
  beforeEach(async () => await startService(standby.url));

  it("answers exact reads, while everything else is the primary's", async () => {
    await client.registerBare("new", "1.0.0");
    expect((await getRange())?.version).toBe("1.0.7");
    proxy.become("frozen");
    await expect.poll(async () => await healthOf(service.address)).toBe("NOT_SERVING");
    expect((await client.getExact(model, "1.0.0"))?.version).toBe("1.0.0");
    const others = [
      getRange(),
      client.listAll({ model }),
      Array.fromAsync(client.listModels({})),
      client.getExact(model, "9.0.0"),
      client.registerBare(model, "9.0.0"),
    ];
    const errors = await Promise.all(others.map(errorOf));
    expect(errors.map(({ reason }) => reason)).toEqual(others.map(() => "DATABASE_UNAVAILABLE"));
  });

  it("and is behind hides nothing that was registered", async () => {
    await onStandby("select pg_wal_replay_pause()");
    const registered = await client.registerBare("new", "1.0.0");
    await expectOnStandby("new", false);
    expect(await client.getExact("new", "1.0.0")).toEqual(registered);
    expect(await client.listAll({ model: "new" })).toEqual(["1.0.0"]);
    expect(await errorOf(client.getExact("new", "2.0.0"))).toMatchObject({ reason: "VERSION_NOT_FOUND" });
    await onStandby("select pg_wal_replay_resume()");
    await expectOnStandby("new", true);
    proxy.become("frozen");
    expect(await client.getExact("new", "1.0.0")).toEqual(registered);
  });

  it.each([
    ["is stopped", async () => await standby.stop()],
    ["is killed", async () => await standby.kill()],
    ["stops in its tracks", async () => void stack.defer(await standby.freeze())],
  ])("and then %s leaves its reads to the primary, in time", async (_, fail) => {
    expect((await client.getExact(model, "1.0.0"))?.version).toBe("1.0.0");
    await fail();
    for (let patch = 0; patch < 10; patch += 1) await expectAnswerInTime(`1.0.${patch}`);
    expect(await healthOf(service.address)).toBe("SERVING");
  });

  it("goes on answering after it was away", async () => {
    await standby.stop();
    await expectAnswerInTime("1.0.1");
    await standby.start();
    await untilStreaming();
    proxy.become("frozen");
    const get = async () => (await client.getExact(model, "1.0.2").catch(() => undefined))?.version;
    await expect.poll(get, { timeout: 10_000 }).toBe("1.0.2");
  });
});

it("a replica that is another, empty database hides nothing", async () => {
  const empty = stack.use(await OwnPostgres.create());
  await empty.start();
  await startService(empty.url);
  await expectAnswerInTime("1.0.0");
  expect(await errorOf(client.getExact(model, "9.0.0"))).toMatchObject({ reason: "VERSION_NOT_FOUND" });
  await empty.migrate();
  await expectAnswerInTime("1.0.0");
  expect(await errorOf(client.getExact(model, "9.0.0"))).toMatchObject({ reason: "VERSION_NOT_FOUND" });
});

it("a replica that is away when the service starts is used when it is there", async () => {
  await standby.stop();
  await startService(standby.url);
  await expectAnswerInTime("1.0.0");
  await standby.start();
  await untilStreaming();
  proxy.become("frozen");
  const get = async () => (await client.getExact(model, "1.0.2").catch(() => undefined))?.version;
  await expect.poll(get, { timeout: 10_000 }).toBe("1.0.2");
});

it("a replica that keeps readers waiting leaves its reads to the primary, in time", async () => {
  await startService(standby.url);
  await expectAnswerInTime("1.0.0");
  await lockOnStandby();
  for (let patch = 0; patch < 5; patch += 1) await expectAnswerInTime(`1.0.${patch}`);
});

/** A lock of the primary reaches the standby, and its end does not. */
async function lockOnStandby(): Promise<void> {
  await using database = primary.open();
  await database.transaction().execute(async (transaction) => {
    await sql`lock table model_version in access exclusive mode`.execute(transaction);
    // Brings the lock to the standby.
    await sql`select pg_switch_wal()`.execute(database);
    await using other = standby.open();
    const locks = async () =>
      (
        await sql`select from pg_locks where mode = 'AccessExclusiveLock' and relation = 'model_version'::regclass`.execute(
          other,
        )
      ).rows.length;
    await expect.poll(locks, { timeout: 10_000 }).toBe(1);
    await sql`select pg_wal_replay_pause()`.execute(other);
  });
}

it.each([
  ["before", true],
  ["after", false],
])(
  "a primary that dies under load is followed by its synchronous standby, promoted %s the switch: nothing acknowledged is missing",
  async (_, isBefore) => {
    await primary.stop();
    await primary.start({ synchronous_standby_names: "standby" });
    await untilStreaming();
    await startService(primaryUrl);
    const load = new RegistryLoad(client);
    load.start(3);
    await load.untilProgress(5);
    await primary.kill();
    if (isBefore) await onStandby("select pg_promote()");
    proxy.switchTo(standby.connection);
    await expect.poll(async () => await healthOf(service.address), { timeout: 10_000 }).toBe("SERVING");
    if (!isBefore) {
      expect(await errorOf(client.registerBare("new", "1.0.0"))).toMatchObject({ reason: "DATABASE_UNAVAILABLE" });
      await onStandby("select pg_promote()");
    }
    await load.untilProgress(5);
    await load.stop();
    expect(load.hasFailure(AWAY)).toBe(true);
    expect(load.failuresBeside([AWAY, UNKNOWN])).toEqual([]);
    expect(await load.findViolations(client)).toEqual([]);
  },
);

it("forgets what a primary had that is replaced by one that lacks it", async () => {
  await startService(primaryUrl, 32);
  await standby.stop();
  const lost = await client.registerBare("new", "1.0.0");
  expect(await client.getExact("new", "1.0.0")).toEqual(lost);
  await primary.kill();
  await expect.poll(async () => await healthOf(service.address)).toBe("NOT_SERVING");
  expect(await client.getExact("new", "1.0.0")).toEqual(lost);
  await standby.start();
  await onStandby("select pg_promote()");
  proxy.switchTo(standby.connection);
  await expect.poll(async () => await healthOf(service.address), { timeout: 10_000 }).toBe("SERVING");
  expect(await errorOf(client.getExact("new", "1.0.0"))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  const other = await client.register({
    model: "new",
    number: { case: "version", value: "1.0.0" },
    metadata: { description: "another" },
  });
  expect(await client.getExact("new", "1.0.0")).toEqual(other);
  expect(other?.digest).not.toBe(lost?.digest);
});

async function onStandby(text: string): Promise<void> {
  await using database = standby.open();
  await sql.raw(text).execute(database);
}

async function expectOnStandby(name: string, isThere: boolean): Promise<void> {
  await using database = standby.open();
  const rows = async () => (await sql`select from model_version where model = ${name}`.execute(database)).rows.length;
  await expect.poll(rows).toBe(isThere ? 1 : 0);
}

async function expectAnswerInTime(version: string): Promise<void> {
  const since = performance.now();
  expect((await client.getExact(model, version))?.version).toBe(version);
  expect(performance.now() - since).toBeLessThan(IN_TIME_MS);
}
