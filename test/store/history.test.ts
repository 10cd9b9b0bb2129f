// Records in memory are true as long as connections lead to the rows that they came from; each way in which that ends is told.

import { EventEmitter } from "node:events";
import { sql } from "kysely";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { Connections, connectionsOf } from "../../src/store/connections.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import type { History } from "../../src/store/history.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

describe("what the connections of a pool lead to", () => {
  class FakeConnection extends EventEmitter {
    history: History | Error;

    constructor(history: History | Error) {
      super();
      this.history = history;
    }

    async query() {
      if (this.history instanceof Error) throw this.history;
      return { rows: [{ history: this.history }] };
    }
  }

  const queries = () => new FakeConnection("the pool itself is never asked");
  // As much of pg as is used here.
  const asPool = (fake: FakeConnection) => fake as unknown as pg.Pool;
  const asClient = (fake: FakeConnection) => fake as unknown as pg.PoolClient;

  function connect(probed: History | Error, { isPooled = false } = {}) {
    const [pool, probe] = [queries(), new FakeConnection(probed)];
    const control = isPooled ? undefined : asPool(queries());
    const pools = { queries: asPool(pool), control, probe: asPool(probe), applicationName: "stele test" };
    const connections = new Connections(pools);
    const told: History[] = [];
    connections.onHistory((history) => told.push(history));
    return { connections, pool, probe, told };
  }

  it("is told, and is unknown while they lead to several", async () => {
    const { connections, pool, probe, told } = connect("one");
    const [first, second] = [new FakeConnection("one"), new FakeConnection("two")].map(asClient) as [
      pg.PoolClient,
      pg.PoolClient,
    ];
    await connections.learnHistory(first);
    await connections.ask();
    await connections.learnHistory(second);
    expect(told).toEqual(["one", "one", undefined]);
    pool.emit("remove", first);
    expect(told.at(-1)).toBeUndefined();
    probe.history = "two";
    await connections.ask();
    expect(told.at(-1)).toBe("two");
  });

  it("stays what it was when the last connection goes", async () => {
    const { connections, pool, told } = connect("one");
    const client = asClient(new FakeConnection("one"));
    await connections.learnHistory(client);
    pool.emit("remove", client);
    expect(told).toEqual(["one"]);
  });

  it("is unknown on a standby", async () => {
    const { connections, told } = connect(undefined);
    await connections.ask();
    expect(told).toEqual([undefined]);
  });

  it("is asked no more of an engine that cannot tell, which answers all the same", async () => {
    const { connections, probe, told } = connect(Object.assign(new Error("no such function"), { code: "42883" }));
    await connections.ask();
    expect(told).toEqual([undefined]);
    probe.history = "one";
    await connections.ask();
    expect(told).toEqual([undefined]);
  });

  it.each(["28000", "28P01", "3D000", "57014", "53400", "ECONNRESET"])(
    "is asked again after %s, which is no answer",
    async (code) => {
      const { connections, probe, told } = connect("one");
      await connections.ask();
      probe.history = Object.assign(new Error("refused"), { code });
      await expect(connections.ask()).rejects.toMatchObject({ code });
      probe.history = "two";
      await connections.ask();
      expect(told).toEqual(["one", "two"]);
    },
  );

  it("is never told behind a transaction pooler", async () => {
    const { connections, told } = connect("one", { isPooled: true });
    await connections.learnHistory(asClient(new FakeConnection("one")));
    await connections.ask();
    expect(told).toEqual([]);
  });
});

describe("the history that a real server tells", () => {
  let test: TestDatabase;
  let database: Database;
  let told: History[];

  beforeEach(async () => {
    test = await createTestDatabase();
    database = openDatabase({ connection: test.url, onConnectionError: () => undefined });
    told = [];
    connectionsOf(database)?.onHistory((history) => told.push(history));
  });

  afterEach(async () => {
    await database.destroy();
    await test[Symbol.asyncDispose]();
  });

  const ask = async () => await connectionsOf(database)?.ask();

  it("is told to the service's role, and stays the same", async () => {
    await ask();
    await sql`select 1`.execute(database);
    await ask();
    expect(told.at(0)).toMatch(/^[0-9A-F]{8} \d+\.\d+ \d+ \d+$/);
    expect(new Set(told).size).toBe(1);
  });

  it("is another when the table is", async () => {
    await ask();
    await sql`create table copy (like model_version including all)`.execute(test.database);
    await sql`drop table model_version`.execute(test.database);
    await sql`alter table copy rename to model_version`.execute(test.database);
    await ask();
    expect(new Set(told).size).toBe(2);
  });

  it("is another when the database is", async () => {
    await using server = openDatabase({ connection: inject("postgres"), onConnectionError: () => undefined });
    await using other = await createTestDatabase();
    await ask();
    const names = [test.connection.database, other.connection.database] as const;
    await test.database.destroy();
    await other.database.destroy();
    const swap = async () => {
      await sql`select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname in (${sql.join(names)})`.execute(
        server,
      );
      await sql`alter database ${sql.id(names[0])} rename to ${sql.id(`${names[0]}_old`)}`.execute(server);
    };
    await swap();
    await sql`alter database ${sql.id(names[1])} rename to ${sql.id(names[0])}`.execute(server);
    await expect.poll(async () => await ask().catch(() => "again")).toBeUndefined();
    expect(new Set(told).size).toBe(2);
    await sql`drop database ${sql.id(`${names[0]}_old`)} with (force)`.execute(server);
  });

  it("is known again after nobody could log in for a while", async () => {
    await using server = openDatabase({ connection: inject("postgres"), onConnectionError: () => undefined });
    const role = sql.id(`history_${test.connection.database}`);
    await sql`create role ${role} login in role ${sql.id(testRoles.service)}`.execute(server);
    const connection = test.url.replace(`//${testRoles.service}@`, `//history_${test.connection.database}@`);
    const own = openDatabase({ connection, onConnectionError: () => undefined });
    const histories: History[] = [];
    const connections = connectionsOf(own);
    connections?.onHistory((history) => histories.push(history));
    await connections?.ask();
    await sql`alter role ${role} nologin`.execute(server);
    await sql`select pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = ${`history_${test.connection.database}`}`.execute(
      server,
    );
    await expect.poll(async () => await connections?.ask().catch((error) => error.code)).toBe("28000");
    await sql`alter role ${role} login`.execute(server);
    await connections?.ask();
    expect(histories).toHaveLength(2);
    expect(new Set(histories).size).toBe(1);
    await own.destroy();
    await sql`drop role ${role}`.execute(server);
  });
});
