import { sql } from "kysely";
import { expect, it } from "vitest";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const AWAY = /cannot use Postgres at/;

it.each(["refusing", "frozen", "gone"] as const)(
  "a start waits while the network is %s, and goes on",
  async (network) => {
    await using test = await createTestDatabase();
    await using proxy = new DatabaseProxy(test.connection);
    const url = await proxy.listen(testRoles.service);
    proxy.become(network);
    const starting = startServiceProcess({ DATABASE_URL: url });
    await expect.poll(() => proxy.attempts, { timeout: 10_000 }).toBeGreaterThan(0);
    proxy.become("open");
    await using service = await starting;
    using client = new RegistryClient(service.address);
    expect((await client.registerBare("m", "1.0.0"))?.version).toBe("1.0.0");
  },
);

it.each(["refusing", "frozen"] as const)("a start gives up when the network stays %s", async (network) => {
  await using test = await createTestDatabase();
  await using proxy = new DatabaseProxy(test.connection);
  const url = await proxy.listen(testRoles.service);
  proxy.become(network);
  const starting = startServiceProcess({ DATABASE_URL: url, STELE_START_PATIENCE_SECONDS: "1" });
  await expect(starting).rejects.toThrow(AWAY);
});

it.each([
  ["with", "true"],
  ["without", "false"],
])(
  "a start %s prepared statements gives up when the database falls silent after it took the connection",
  async (_, prepares) => {
    await using test = await createTestDatabase();
    await using proxy = new DatabaseProxy(test.connection);
    const url = await proxy.listen(testRoles.service);
    const since = performance.now();
    const starting = await test.database.transaction().execute(async (transaction) => {
      await sql`lock table stele_migration in access exclusive mode`.execute(transaction);
      const start = startServiceProcess({
        DATABASE_URL: url,
        STELE_START_PATIENCE_SECONDS: "1",
        STELE_PREPARED_STATEMENTS: prepares,
      });
      start.catch(() => undefined);
      await expect.poll(async () => await countWaiting(test), { timeout: 10_000 }).toBe(1);
      proxy.become("frozen");
      return [start] as const;
    });
    await expect(starting[0]).rejects.toThrow(AWAY);
    expect(performance.now() - since).toBeLessThan(20_000);
  },
  90_000,
);

async function countWaiting(test: TestDatabase): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and usename = ${testRoles.service} and wait_event_type = 'Lock'`.execute(
    test.database,
  );
  return rows[0]?.count ?? -1;
}
