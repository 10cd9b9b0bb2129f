import { sql } from "kysely";
import { describe, expect, it } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { migrate, migrations, schemaState } from "../../src/store/migrate.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { createTestDatabase } from "../support/test-database.ts";

const names = migrations.map(({ name }) => name);

describe("migrate", () => {
  it("brings an empty database to the schema, once", async () => {
    await using test = await createTestDatabase("template0");
    expect(await schemaState(test.database)).toBe("behind");
    expect(await migrate(test.database, testRoles)).toEqual(names);
    expect(await schemaState(test.database)).toBe("current");
    expect(await migrate(test.database, testRoles)).toEqual([]);
  });

  it("lets ten callers race and applies each step once", async () => {
    await using test = await createTestDatabase("template0");
    const pools = Array.from({ length: 10 }, () =>
      openDatabase({ connection: test.connection, maxConnections: 1, onConnectionError: () => undefined }),
    );
    const applied = await Promise.all(pools.map((pool) => migrate(pool, testRoles)));
    await Promise.all(pools.map((pool) => pool.destroy()));
    expect(applied.flat()).toEqual(names);
    expect(await schemaState(test.database)).toBe("current");
  });

  it("applies all or nothing", async () => {
    await using test = await createTestDatabase("template0");
    await sql`create function model_version_refuse_change() returns int language sql as 'select 1'`.execute(
      test.database,
    );
    await expect(migrate(test.database, testRoles)).rejects.toThrow(/model_version_refuse_change/);
    const tables = await test.database.introspection.getTables();
    expect(tables).toEqual([]);
  });

  it("knows a schema of a later release", async () => {
    await using test = await createTestDatabase();
    await test.database
      .insertInto("stele_migration")
      .values({ version: migrations.length + 1, name: "of the future" })
      .execute();
    expect(await schemaState(test.database)).toBe("ahead");
  });
});

describe("the schema", () => {
  it("has the columns that the code is typed with", async () => {
    await using test = await createTestDatabase();
    const tables = await test.database.introspection.getTables();
    const columns = tables.map(({ name, columns }) => [
      name,
      columns.map((column) => `${column.name} ${column.dataType}${column.isNullable ? " null" : ""}`),
    ]);
    expect(Object.fromEntries(columns)).toEqual({
      model_version: [
        "model text",
        "precedence bytea",
        "version text",
        "record bytea",
        "digest bytea",
        "registered_at timestamptz",
        "registered_by text",
        "attempt uuid",
        "request_id uuid null",
      ],
      stele_migration: ["version int4", "name text", "applied_at timestamptz"],
    });
  });
});
