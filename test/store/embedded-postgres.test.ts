import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { defaultDataDirectory } from "../../src/store/embedded-postgres/data-directory.ts";
import { EmbeddedPostgresError } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import { isRunning, query, recordingLog, start, temporaryFolder } from "./embedded-postgres/harness.ts";

/** A data directory with a cluster, for tests that do not need a new one. */
let shared: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  shared = await temporaryFolder();
  await using _postgres = await start(shared.path);
});

afterAll(() => shared[Symbol.asyncDispose]());

afterEach(() => vi.unstubAllEnvs());

describe("an embedded Postgres", () => {
  it("makes its data directory and a durable cluster, and keeps the data over a restart", async () => {
    await using folder = await temporaryFolder();
    const dataDirectory = join(folder.path, "not yet", "a data directory");
    await using first = await start(dataDirectory);
    const settings = await query(
      first.connection,
      `select array[current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
        current_setting('data_checksums'), current_setting('server_encoding'), current_setting('listen_addresses'),
        (select datcollate from pg_database where datname = current_database()), current_database(), current_user]`,
    );
    expect(settings).toEqual(["on", "on", "on", "on", "UTF8", "", "C", "stele", "stele"]);
    await query(first.connection, "create table kept as select 42 as answer");
    await first.stop();

    await using second = await start(dataDirectory);
    expect(await query(second.connection, "select answer from kept")).toBe(42);
    const modes = [dataDirectory, join(dataDirectory, "postgres"), second.connection.host].map(modeOf);
    expect(await Promise.all(modes)).toEqual([0o700, 0o700, 0o700]);
  });

  it("leaves no process, no socket and no claim behind when it stops, and may be stopped twice", async () => {
    const postgres = await start(shared.path);
    const pid = postgres.postmasterPid() ?? 0;
    expect(isRunning(pid)).toBe(true);
    await Promise.all([postgres.stop(), postgres.stop()]);
    await postgres.stop();

    expect(isRunning(pid)).toBe(false);
    expect(postgres.postmasterPid()).toBeUndefined();
    await expect(stat(postgres.connection.host)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await readdir(shared.path)).sort()).toEqual(["postgres", "postgres.log", "stele.lock"]);
  });

  it("keeps its log bounded", async () => {
    const long = "a line of a log\n".repeat(600_000);
    await writeFile(join(shared.path, "postgres.log"), long);
    await using _postgres = await start(shared.path);
    expect(await readFile(join(shared.path, "postgres.log.old"), "utf8")).toBe(long);
    expect((await stat(join(shared.path, "postgres.log"))).size).toBeLessThan(10_000);
  });
});

describe("the place of an embedded Postgres", () => {
  it("may be a relative data directory", async () => {
    await using folder = await temporaryFolder();
    await using postgres = await start(relative(process.cwd(), join(folder.path, "data")));
    expect(await query(postgres.connection, "show data_directory")).toBe(join(folder.path, "data", "postgres"));
  });

  it("may have paths longer than a socket's may be", async () => {
    await using folder = await temporaryFolder();
    const long = join(folder.path, "d".repeat(120), "e".repeat(120));
    await mkdir(long, { recursive: true });
    vi.stubEnv("TMPDIR", long);
    await using postgres = await start(join(long, "data"));
    expect(await query(postgres.connection, "select 1")).toBe(1);
    expect(postgres.connection.host.startsWith("/tmp/")).toBe(true);
  });

  it("may be an empty volume with its lost+found", async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, "lost+found"));
    await using postgres = await start(folder.path);
    expect(await query(postgres.connection, "select 1")).toBe(1);
  });

  it("is not changed by the environment", async () => {
    await using folder = await temporaryFolder();
    for (const name of ["PGDATA", "PGPORT", "PGUSER", "LC_ALL", "LANG", "TZ"]) vi.stubEnv(name, "nonsense");
    vi.stubEnv("PGSSLMODE", "require");
    await using postgres = await start(folder.path);
    expect(await query(postgres.connection, "show timezone")).toBe("UTC");
  });
});

describe("a data directory that cannot be used", () => {
  it("is refused untouched when it holds somebody else's files", async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, "thesis.txt"), "mine");
    await expect(start(folder.path)).rejects.toEqual(
      new EmbeddedPostgresError(
        `the data directory ${folder.path} holds files that are not Stele's, such as thesis.txt; ` +
          "set STELE_DATA_DIR to a new or an empty directory, or set DATABASE_URL to use a Postgres server of your own",
      ),
    );
    expect(await readdir(folder.path)).toEqual(["thesis.txt"]);
  });

  it("is refused when it cannot be made", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "file");
    await writeFile(file, "");
    const path = join(file, "data");
    await expect(start(path)).rejects.toEqual(
      new EmbeddedPostgresError(
        `the data directory ${path} cannot be used (ENOTDIR: not a directory, mkdir '${path}'); set STELE_DATA_DIR to a ` +
          "directory that this user can write to, or set DATABASE_URL to use a Postgres server of your own",
      ),
    );
  });

  it("is refused untouched when another major version of Postgres made it, or its version is lost", async () => {
    const versionFile = join(shared.path, "postgres", "PG_VERSION");
    const version = (await readFile(versionFile, "utf8")).trim();
    await writeFile(versionFile, "9\n");
    await expect(start(shared.path)).rejects.toEqual(
      new EmbeddedPostgresError(
        `the data directory ${shared.path} was made by Postgres 9, and this release brings Postgres ${version}; ` +
          "dump it with pg_dump under the release that made it and restore it into a new STELE_DATA_DIR, " +
          "or set DATABASE_URL to use a Postgres server of your own",
      ),
    );
    await rm(versionFile);
    await expect(start(shared.path)).rejects.toEqual(
      new EmbeddedPostgresError(
        `the database in ${shared.path} is damaged (ENOENT: no such file or directory, open '${versionFile}'); ` +
          "restore the directory from a backup, set STELE_DATA_DIR to another one, " +
          "or set DATABASE_URL to use a Postgres server of your own",
      ),
    );
    await writeFile(versionFile, `${version}\n`);
    await using again = await start(shared.path);
    expect(await query(again.connection, "select 1")).toBe(1);
  });

  it("is named with Postgres's own words when the server does not start, and is free again", async () => {
    const failure = await start(shared.path, { settings: { shared_buffers: "nonsense" } }).catch((error) => error);
    expect(failure).toBeInstanceOf(EmbeddedPostgresError);
    expect(failure.message.split("\n")).toEqual([
      `the embedded Postgres did not start on ${shared.path}; mend what it says, ` +
        "or set DATABASE_URL to use a Postgres server of your own:",
      expect.stringContaining('FATAL:  invalid value for parameter "shared_buffers": "nonsense"'),
      "(exit code 1)",
    ]);
    await using postgres = await start(shared.path, { log: recordingLog() });
    expect(await query(postgres.connection, "select 1")).toBe(1);
  });
});

describe("the default data directory", () => {
  it.runIf(process.platform === "linux")("is in XDG_DATA_HOME (on Linux)", () => {
    vi.stubEnv("XDG_DATA_HOME", "/somewhere");
    expect(defaultDataDirectory()).toBe("/somewhere/stele");
  });

  it("is called stele", () => {
    expect(defaultDataDirectory()).toContain("stele");
  });
});

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}
