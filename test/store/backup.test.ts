import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { ModelVersion } from "../../gen/stele/v1/model_version_pb.ts";
import { recordDigest } from "../../src/domain/digest.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { connectionThrough } from "../../src/store/embedded-postgres/application-database.ts";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";
import { findExcessRights } from "../../src/store/roles.ts";
import { hasPostgres15, startPostgres15 } from "../support/other-postgres.ts";
import { type PostgresConnection, testRoles } from "../support/postgres-setup.ts";
import { findPostgresTools } from "../support/postgres-tools.ts";
import { runProgram } from "../support/program.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";

const open = (connection: PostgresConnection): Database =>
  openDatabase({ connection, onConnectionError: () => undefined });
const retried = {
  model: "kept",
  number: { case: "version", value: "1.1.0+build.7" },
  requestId: randomUUID(),
} as const;

/** Registers versions of every kind; what the service answered. */
async function fill(address: string): Promise<ModelVersion[]> {
  using client = new RegistryClient(address);
  const artifacts = [{ uri: "s3://bucket/weights", digest: `sha256:${"ab".repeat(32)}`, sizeBytes: 2n ** 53n }];
  const metadata = { artifacts, metrics: { "test/accuracy": 0.1 + 0.2 }, labels: { team: "vision" } };
  const number = { case: "version", value: "2.0.0-rc.1" } as const;
  const dependencies = [{ model: "kept", version: "1.0.0", relation: "base" }];
  const registered = [
    await client.registerBare("kept", "1.0.0"),
    await client.register(retried),
    await client.register({
      model: "kept",
      number,
      metadata: { ...metadata, attributes: { text: "ü".repeat(20_000) } },
    }),
    await client.register({ model: "team/derived", number, metadata: { dependencies } }),
  ];
  return registered.filter((version) => version !== undefined);
}

async function rowsOf(database: Database) {
  return await database.selectFrom("model_version").selectAll().orderBy("model").orderBy("precedence").execute();
}

/** Every record is read as it was registered, and registering goes on where it was. */
async function expectToGoOn(address: string, registered: readonly ModelVersion[]): Promise<void> {
  using client = new RegistryClient(address);
  for (const record of registered) expect(await client.getExact(record.model, record.version)).toEqual(record);
  expect(await client.listAll({ model: "kept" })).toEqual(["2.0.0-rc.1", "1.1.0+build.7", "1.0.0"]);
  expect(await client.register(retried)).toEqual(registered[1]);
  expect(await errorOf(client.registerBare("kept", "1.0.0"))).toMatchObject({
    reason: "VERSION_ALREADY_EXISTS",
    metadata: { existing_version: "1.0.0", existing_digest: registered[0]?.digest, identical: "true" },
  });
  await client.registerBare("kept", "1.2.0");
  expect(await client.get({ model: "kept", selector: { case: "range", value: "^1" } })).toMatchObject({
    version: "1.2.0",
  });
}

/** Nothing of what is stored can be changed: by triggers, also for a superuser, and by the rights of the service. */
async function expectImmutable(connection: PostgresConnection): Promise<void> {
  await using superuser = open(connection);
  await using service = open({ ...connection, user: testRoles.service });
  const triggers = sql`select tgname as name, tgenabled as enabled from pg_trigger
    where tgrelid = 'model_version'::regclass and not tgisinternal order by tgname`;
  expect((await triggers.execute(superuser)).rows).toEqual([
    { name: "model_version_refuse_truncate", enabled: "A" },
    { name: "model_version_refuse_update_delete", enabled: "A" },
  ]);
  const before = await rowsOf(superuser);
  for (const change of [
    "update model_version set version = 'x'",
    "delete from model_version",
    "truncate model_version",
  ]) {
    await expect(sql.raw(change).execute(superuser)).rejects.toMatchObject({ code: "23001" });
    await expect(sql.raw(change).execute(service)).rejects.toMatchObject({ code: "42501" });
    const asReplica = superuser.transaction().execute(async (transaction) => {
      await sql`set local session_replication_role = replica`.execute(transaction);
      await sql.raw(change).execute(transaction);
    });
    await expect(asReplica).rejects.toMatchObject({ code: "23001" });
  }
  expect(await rowsOf(superuser)).toEqual(before);
  expect(await findExcessRights(service)).toEqual([]);
  const owners = sql`select distinct tableowner as owner from pg_tables where schemaname = 'public'`;
  expect((await owners.execute(superuser)).rows).toEqual([{ owner: testRoles.owner }]);
}

function expectOwnDigests(registered: readonly ModelVersion[]): void {
  for (const { model, version, metadata, digest } of registered) {
    expect(digest).toBe(`sha256:${Buffer.from(recordDigest({ model, version, metadata })).toString("hex")}`);
  }
}

interface Server extends AsyncDisposable {
  readonly connection: PostgresConnection;
}

async function startPostgres18(): Promise<Server> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "stele-postgres18-"));
  const log = pino({ level: "silent" });
  const postgres = await startEmbeddedPostgres({ dataDirectory, serviceAddress: "none, a test", log });
  return {
    connection: { ...postgres.connection, database: "postgres" },
    [Symbol.asyncDispose]: async () => {
      await postgres.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

const database = "stele_kept";
const urlOf = ({ host, port }: PostgresConnection) =>
  `postgres://${testRoles.service}@${encodeURIComponent(host)}:${port}/${database}`;

/** Copies a database with its roles to an empty server, as a person does it. */
async function dumpAndRestore(tools: string, from: PostgresConnection, to: PostgresConnection): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "stele-dump-"));
  const [roles, data] = [join(folder, "roles.sql"), join(folder, "data.sql")];
  const at = ({ host, port, user }: PostgresConnection) => ["-h", host, "-p", String(port), "-U", user];
  await runProgram(join(tools, "pg_dumpall"), [...at(from), "--roles-only", "-f", roles]);
  await runProgram(join(tools, "pg_dump"), [...at(from), "--create", "-f", data, database]);
  // The superuser is there already, and only that may be refused.
  await runProgram(join(tools, "psql"), [...at(to), "-q", "-d", "postgres", "-f", roles]);
  await runProgram(join(tools, "psql"), [...at(to), "-q", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-f", data]);
  await rm(folder, { recursive: true });
}

const servers = [
  { major: "15", isHere: hasPostgres15, start: startPostgres15 },
  { major: "18", isHere: true, start: startPostgres18 },
];

const candidates = await Promise.all(
  servers.map(async ({ major, isHere, start }) => ({ major, start, tools: await findPostgresTools(major), isHere })),
);

describe("a backup", () => {
  it.each(candidates.filter(({ isHere, tools }) => isHere && tools !== undefined))(
    "by pg_dump of Postgres $major, restored into an empty server, is whole, goes on and is immutable",
    async (row) => {
      const { start, tools = "" } = row;
      await using source = await start();
      await using target = await start();
      const original = { ...source.connection, database };
      const copy = { ...target.connection, database };
      await makeDatabase(source.connection);
      const registered = await serving(original, fill);
      await dumpAndRestore(tools, source.connection, target.connection);
      expect(await allRows(copy)).toEqual(await allRows(original));
      expectOwnDigests(registered);
      await serving(copy, async (address) => await expectToGoOn(address, registered));
      await expectImmutable(copy);
    },
  );

  for (const { major } of candidates.filter(({ isHere, tools }) => !isHere || tools === undefined)) {
    it.skip(`by pg_dump of Postgres ${major} (skipped: Postgres ${major} or its pg_dump is not installed)`);
  }

  it("by a cold copy of the embedded data directory is whole, goes on and is immutable", async () => {
    await using resources = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "stele-cold-"));
    resources.defer(async () => await rm(folder, { recursive: true, force: true, maxRetries: 10 }));
    const [original, copy] = [join(folder, "original"), join(folder, "copy")];
    const service = resources.use(await startServiceProcess({ STELE_DATA_DIR: original }));
    const registered = await fill(service.address);
    const rows = await allRows(await connectionOf(original));
    expect(await service.stop()).toBe(0);
    await runProgram("cp", ["-a", original, copy]);
    await rm(original, { recursive: true });
    const restored = resources.use(await startServiceProcess({ STELE_DATA_DIR: copy }));
    expect(await allRows(await connectionOf(copy))).toEqual(rows);
    expectOwnDigests(registered);
    await expectToGoOn(restored.address, registered);
    await expectImmutable(await connectionOf(copy));
    expect(await restored.stop()).toBe(0);
  });
});

/** The superuser's connection to the Postgres of a service that runs. */
async function connectionOf(dataDirectory: string): Promise<PostgresConnection> {
  const { socketDirectory } = JSON.parse(await readFile(join(dataDirectory, "owner.json"), "utf8"));
  return connectionThrough(socketDirectory);
}

async function allRows(connection: PostgresConnection) {
  await using superuser = open(connection);
  return await rowsOf(superuser);
}

async function makeDatabase(connection: PostgresConnection): Promise<void> {
  await using server = open(connection);
  await sql`create database ${sql.id(database)}`.execute(server);
  await using made = open({ ...connection, database });
  await migrate(made, testRoles);
}

/** What the work with a service on the database gives; the service has ended then. */
async function serving<T>(connection: PostgresConnection, work: (address: string) => Promise<T>): Promise<T> {
  await using service = await startServiceProcess({ DATABASE_URL: urlOf(connection) });
  return await work(service.address);
}
