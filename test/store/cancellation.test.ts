import { setTimeout as sleep } from "node:timers/promises";
import { CompiledQuery, sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { executeRead } from "../../src/store/cancellation.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});

afterAll(async () => await test[Symbol.asyncDispose]());

function connect(options: { maxConnections: number; preparedStatements?: boolean }): Database {
  return openDatabase({ connection: test.connection, onConnectionError: () => undefined, ...options });
}

function sleepFor(seconds: number): CompiledQuery<{ mark: string }> {
  return CompiledQuery.raw("select pg_sleep($1)::text as mark", [seconds]) as CompiledQuery<{ mark: string }>;
}

async function sleepersOf(database: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and state = 'active' and query like 'select pg_sleep%'`.execute(database);
  return rows[0]?.count ?? -1;
}

async function untilSleepersAre(count: number): Promise<void> {
  while ((await sleepersOf(test.database)) !== count) await sleep(10);
}

describe("a read with a signal", () => {
  it("stops in the database when the signal aborts, and throws its reason", async () => {
    await using database = connect({ maxConnections: 1 });
    const caller = new AbortController();
    const read = executeRead(database, sleepFor(600), caller.signal).catch((error: unknown) => error);
    await untilSleepersAre(1);
    const reason = new Error("the caller left");
    caller.abort(reason);
    expect(await read).toBe(reason);
    await untilSleepersAre(0);
    // The connection is whole and back in the pool, which has no other.
    const { rows } = await executeRead(database, CompiledQuery.raw("select 1 as one"), new AbortController().signal);
    expect(rows).toEqual([{ one: 1 }]);
  });

  it("stops also where the URL of the database names the application", async () => {
    const connection = `${test.adminUrl}?application_name=another`;
    await using database = openDatabase({ connection, onConnectionError: () => undefined });
    const caller = new AbortController();
    const read = executeRead(database, sleepFor(600), caller.signal).catch((error: unknown) => error);
    await untilSleepersAre(1);
    const reason = new Error("the caller left");
    caller.abort(reason);
    expect(await read).toBe(reason);
    await untilSleepersAre(0);
  });

  it("does not begin when the signal has aborted", async () => {
    await using database = connect({ maxConnections: 1 });
    const reason = new Error("the caller left");
    await expect(executeRead(database, sleepFor(600), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await sleepersOf(test.database)).toBe(0);
  });

  it("does not begin when the signal aborts while it waits for a connection", async () => {
    await using database = connect({ maxConnections: 1 });
    const first = new AbortController();
    const [holder, waiter] = [new Error("the first caller left"), new Error("the second caller left")];
    const held = executeRead(database, sleepFor(600), first.signal).catch((error: unknown) => error);
    await untilSleepersAre(1);
    const second = new AbortController();
    const waiting = executeRead(database, sleepFor(600), second.signal).catch((error: unknown) => error);
    second.abort(waiter);
    first.abort(holder);
    expect(await Promise.all([held, waiting])).toEqual([holder, waiter]);
    // Postgres tells that a read was cancelled a moment before it shows it; one that began would stay for 600 s.
    await untilSleepersAre(0);
  });

  it("never stops the read of another caller, however callers leave", async () => {
    await using database = connect({ maxConnections: 4 });
    let stopped = 0;
    const call = async (patienceMs: number | undefined) => {
      const caller = new AbortController();
      const read = executeRead(database, sleepFor(0.024), caller.signal);
      if (patienceMs === undefined) return void (await read);
      // Around the end of the read, where a request that comes too late would meet the next one.
      const timer = setTimeout(() => caller.abort(new Error("left")), patienceMs);
      await read.catch(() => {
        stopped += 1;
      });
      return clearTimeout(timer);
    };
    const worker = async (seed: number) => {
      for (let round = 0; round < 40; round += 1) {
        await call(round % 2 === 0 ? 1 + ((round * seed) % 7) / 2 : undefined);
      }
    };
    await Promise.all([1, 2, 3, 5, 6, 9].map(worker));
    expect(stopped).toBeGreaterThan(20);
  });

  it("goes on unheard where a transaction pooler hides the connection", async () => {
    await using database = connect({ maxConnections: 1, preparedStatements: false });
    const caller = new AbortController();
    const read = executeRead(database, sleepFor(0.2), caller.signal);
    caller.abort(new Error("the caller left"));
    expect((await read).rows).toEqual([{ mark: "" }]);
  });

  it("costs no connection where the read is over before the request", async () => {
    await using database = connect({ maxConnections: 2 });
    const pids = new Set<number>();
    const pidQuery = CompiledQuery.raw("select pg_backend_pid() as pid") as CompiledQuery<{ pid: number }>;
    for (let round = 0; round < 200; round += 1) {
      const caller = new AbortController();
      const read = executeRead(database, pidQuery, caller.signal).catch(() => undefined);
      setImmediate(() => caller.abort(new Error("the caller left")));
      await read;
      const { rows } = await executeRead(database, pidQuery, new AbortController().signal);
      for (const { pid } of rows) pids.add(pid);
    }
    expect(pids.size).toBeLessThanOrEqual(2);
  });
});

describe("a database that was only read with signals", () => {
  it("closes its connections when it is destroyed", async () => {
    const database = connect({ maxConnections: 1 });
    const pidQuery = CompiledQuery.raw("select pg_backend_pid() as pid") as CompiledQuery<{ pid: number }>;
    const {
      rows: [row],
    } = await executeRead(database, pidQuery, new AbortController().signal);
    await database.destroy();
    const count = sql<{ count: number }>`
      select count(*)::integer as count from pg_stat_activity where pid = ${row?.pid}`;
    while ((await count.execute(test.database)).rows[0]?.count !== 0) await sleep(10);
  });
});
