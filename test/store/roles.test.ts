import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { migrate, migrations } from "../../src/store/migrate.ts";
import { findRecord, insertVersion } from "../../src/store/model-version-store.ts";
import { findExcessRights } from "../../src/store/roles.ts";
import { hasPostgres15, startPostgres15 } from "../support/other-postgres.ts";
import type { PostgresConnection } from "../support/postgres-setup.ts";
import { rowOf } from "../support/row.ts";

const roles = { owner: "the owner", service: 'the "service"' };
const admin = "stele_admin";
const database = "roles_test";
const row = rowOf("image_classifier", "1.0.1");

function connect(connection: PostgresConnection, user = connection.user): Database {
  return openDatabase({
    connection: { ...connection, database, user },
    maxConnections: 1,
    onConnectionError: () => {},
  });
}

const servers = [
  { name: "Postgres 18", isHere: true, start: async () => ({ connection: inject("postgres"), stop: async () => {} }) },
  {
    name: `Postgres 15${hasPostgres15 ? "" : " (skipped: Debian's Postgres 15 is not installed)"}`,
    isHere: hasPostgres15,
    start: async () => {
      const server = await startPostgres15();
      return { connection: server.connection, stop: async () => await server[Symbol.asyncDispose]() };
    },
  },
];

describe.each(servers)("the roles on $name", ({ isHere, start }) => {
  let connection: PostgresConnection;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    if (!isHere) return;
    ({ connection, stop } = await start());
    await using server = openDatabase({ connection, onConnectionError: () => {} });
    await sql`create role ${sql.id(admin)} login createrole`.execute(server);
    await sql`create database ${sql.id(database)} owner ${sql.id(admin)}`.execute(server);
  });

  afterAll(async () => {
    if (!isHere) return;
    await using server = openDatabase({ connection, onConnectionError: () => {} });
    await sql`drop database if exists ${sql.id(database)} with (force)`.execute(server);
    for (const role of [roles.owner, roles.service, admin]) {
      await sql`drop role if exists ${sql.id(role)}`.execute(server);
    }
    await server.destroy();
    await stop();
  });

  it.runIf(isHere)("are made by an administrator without superuser, once, and again without harm", async () => {
    await using administration = connect(connection, admin);
    expect(await migrate(administration, roles)).toEqual(migrations.map(({ name }) => name));
    expect(await migrate(administration, roles)).toEqual([]);
    const { rows } = await sql`
      select rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles
      where rolname in (${roles.owner}, ${roles.service}) order by rolname`.execute(administration);
    const plain = { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolbypassrls: false };
    expect(rows).toEqual([
      { rolname: roles.service, rolcanlogin: true, ...plain },
      { rolname: roles.owner, rolcanlogin: false, ...plain },
    ]);
    const owners = await sql`select distinct tableowner from pg_tables where schemaname = 'public'`.execute(
      administration,
    );
    expect(owners.rows).toEqual([{ tableowner: roles.owner }]);
  });

  it.runIf(isHere)("let the service register and read, and nothing that it does not need", async () => {
    await using service = connect(connection, roles.service);
    expect(await insertVersion(service, row)).toBe(true);
    expect(await insertVersion(service, row)).toBe(false);
    expect(await findRecord(service, row)).toEqual(Buffer.from(row.record));
    expect(await findExcessRights(service)).toEqual([]);
  });

  it.runIf(isHere)("leave the owner without a way in", async () => {
    await using owner = connect(connection, roles.owner);
    await expect(sql`select 1`.execute(owner)).rejects.toMatchObject({
      message: expect.stringMatching(/not permitted to log in/),
    });
  });

  const tampering = {
    UPDATE: "update model_version set version = '9.9.9'",
    DELETE: "delete from model_version",
    TRUNCATE: "truncate model_version",
    "ON CONFLICT DO UPDATE":
      "insert into model_version select * from model_version on conflict (model, precedence) do update set version = 'x'",
    "SELECT FOR UPDATE": "select 1 from model_version for update",
    "a copy under another name": "alter table model_version rename to old",
    "a disabled trigger": "alter table model_version disable trigger all",
    "a replaced trigger function":
      "create or replace function model_version_refuse_change() returns trigger language plpgsql as 'begin return null; end'",
    "a dropped table": "drop table model_version",
    "a rule": "create rule r as on insert to model_version do instead nothing",
    "a schema in front": "create schema s",
    "the owner's role": 'set role "the owner"',
    session_replication_role: "set session_replication_role = replica",
    "migrations unmade": "delete from stele_migration",
  };

  it.runIf(isHere).each(Object.entries(tampering))("refuse the service %s", async (_, command) => {
    await using service = connect(connection, roles.service);
    await expect(sql.raw(command).execute(service)).rejects.toMatchObject({ code: "42501" });
    expect(await findRecord(service, row)).toEqual(Buffer.from(row.record));
  });

  it.runIf(isHere).each(["UPDATE", "DELETE", "TRUNCATE"] as const)(
    "refuse the owner %s, by the triggers",
    async (name) => {
      await using administration = connect(connection, admin);
      await sql`set role ${sql.id(roles.owner)}`.execute(administration);
      await expect(sql.raw(tampering[name]).execute(administration)).rejects.toMatchObject({ code: "23001" });
      await expect(sql`set session_replication_role = replica`.execute(administration)).rejects.toMatchObject({
        code: "42501",
      });
    },
  );

  it.runIf(isHere)("are warned of where the service has more", async () => {
    await using superuser = connect(connection);
    expect(await findExcessRights(superuser)).toEqual([
      "is a superuser",
      "may become the owner of model_version",
      "may UPDATE model_version",
      "may DELETE from model_version",
      "may TRUNCATE model_version",
    ]);
    await using administration = connect(connection, admin);
    expect(await findExcessRights(administration)).toContain("may become the owner of model_version");
  });

  it.runIf(isHere)("cannot be made by a user without CREATEROLE, who is told so", async () => {
    await using service = connect(connection, roles.service);
    const attempt = migrate(service, { owner: "another_owner", service: "another_service" });
    await expect(attempt).rejects.toMatchObject({ code: "42501" });
  });
});
