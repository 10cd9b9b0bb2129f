// Nothing can be written where the database keeps its tables, or its log. What the server says then is about its
// operator, and no caller hears of anything but a database that is away.

import { cp, mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OwnPostgres } from "../support/own-postgres.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { canMountTinyDisk, mountTinyDisk } from "../support/tiny-disk.ts";

const unavailable = { code: "UNAVAILABLE", reason: "DATABASE_UNAVAILABLE", retryDelayMs: 1000 };
const canMount = await canMountTinyDisk();

let stack: AsyncDisposableStack;
let postgres: OwnPostgres;
let client: RegistryClient;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
});

afterEach(async () => await stack.disposeAsync());

async function startService(): Promise<void> {
  await postgres.migrate();
  const service = stack.use(await startServiceProcess({ DATABASE_URL: postgres.url, STELE_RECORD_CACHE_MIB: "0" }));
  client = stack.use(new RegistryClient(service.address));
}

describe.skipIf(!canMount)(`a full disk${canMount ? "" : " (only root may mount a small one)"}`, () => {
  it("of the tables refuses registrations and nothing else, until there is space", async () => {
    const disk = stack.use(await mountTinyDisk(8));
    postgres = stack.use(await OwnPostgres.create());
    await postgres.start();
    await moveTables(disk.path);
    await startService();
    const acknowledged = await registerUntilRefused();
    expect(await errorOf(registerLarge("9.0.0"))).toMatchObject(unavailable);
    expect((await client.getExact("m", acknowledged.at(-1) ?? ""))?.version).toBe(acknowledged.at(-1));
    expect(new Set(await client.listAll({ model: "m" }))).toEqual(new Set(acknowledged));
    await disk.grow();
    expect((await registerLarge("10.0.0"))?.version).toBe("10.0.0");
    expect(new Set(await client.listAll({ model: "m" }))).toEqual(new Set([...acknowledged, "10.0.0"]));
  });

  it("of the log, which the server does not survive, loses nothing", async () => {
    const disk = stack.use(await mountTinyDisk(40));
    postgres = stack.use(await OwnPostgres.create());
    await moveLog(disk.path);
    await postgres.start({ max_wal_size: "1GB" });
    await startService();
    const acknowledged = await registerUntilRefused();
    expect(await errorOf(registerLarge("9.0.0"))).toMatchObject(unavailable);
    await disk.grow();
    // It may have ended, since it could not even recover.
    await postgres.stop();
    await postgres.start();
    const register = async () => (await registerLarge("10.0.0").catch(() => undefined))?.version;
    await expect.poll(register, { timeout: 10_000 }).toBe("10.0.0");
    expect(await client.listAll({ model: "m" })).toEqual(expect.arrayContaining([...acknowledged, "10.0.0"]));
  });
});

/** What the superuser makes from now on is on the disk. */
async function moveTables(path: string): Promise<void> {
  const location = join(path, "tables");
  await mkdir(location, { mode: 0o700 });
  await using database = postgres.open();
  await sql`create tablespace tiny location ${sql.lit(location)}`.execute(database);
  await sql`grant create on tablespace tiny to public`.execute(database);
  await sql`alter role stele set default_tablespace = tiny`.execute(database);
}

async function moveLog(path: string): Promise<void> {
  const [log, moved] = [join(postgres.cluster, "pg_wal"), join(path, "pg_wal")];
  await cp(log, moved, { recursive: true });
  await rm(log, { recursive: true });
  await symlink(moved, log);
}

/** Registers large versions until one is refused, and answers the others. */
async function registerUntilRefused(): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let patch = 0; patch < 5000; patch += 1) {
    const call = registerLarge(`1.0.${patch}`);
    const registered = await call.catch(() => undefined);
    if (registered === undefined) {
      expect(await errorOf(call)).toMatchObject(unavailable);
      return acknowledged;
    }
    acknowledged.push(registered.version);
  }
  throw new Error("the disk did not become full");
}

async function registerLarge(version: string) {
  // Nothing that the database could compress well.
  const text = Array.from({ length: 1500 }, () => crypto.randomUUID()).join("");
  const number = { case: "version", value: version } as const;
  return await client.register({ model: "m", number, metadata: { attributes: { text } } });
}
