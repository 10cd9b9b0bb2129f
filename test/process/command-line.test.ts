import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase } from "../support/test-database.ts";

const program = fileURLToPath(new URL("../../bin/stele.mjs", import.meta.url));
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

interface Ended {
  readonly exitCode: number | string | undefined | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Record<string, string> = {}, nodeArgs: readonly string[] = []) {
  const options = { env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env }, timeout: 30_000 };
  return new Promise<Ended>((resolve) => {
    execFile(process.execPath, [...nodeArgs, program, ...args], options, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

describe("stele", () => {
  it("explains itself", async () => {
    expect(await run(["--version"])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
    expect(await run(["--help"])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("npm run migrate") });
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends at once on %s while it starts, and leaves no Postgres behind",
    async (signal) => {
      const data = await mkdtemp(join(tmpdir(), "stele-start-"));
      const env = { ...process.env, STELE_DATA_DIR: data, STELE_LISTEN: "127.0.0.1:0" };
      const child = spawn(process.execPath, [program, "serve"], { env, stdio: ["ignore", "pipe", "pipe"] });
      const ended = once(child, "exit");
      await expect.poll(() => existsSync(join(data, "owner.json")), { timeout: 20_000, interval: 2 }).toBe(true);
      child.kill(signal);
      expect(await ended).toEqual([0, null]);
      // The next start finds nothing in its way.
      await using service = await startServiceProcess({ STELE_DATA_DIR: data });
      expect(await service.stop()).toBe(0);
      await rm(data, { recursive: true, force: true, maxRetries: 10 });
    },
  );

  it.each([
    [["constructor"], "stele: no such command: constructor; see --help\n"],
    [["serv"], "stele: no such command: serv; see --help\n"],
    [["serve", "now"], "stele: no such command: serve now; see --help\n"],
  ])("refuses %j", async (args, stderr) => {
    expect(await run(args)).toEqual({ exitCode: 1, stdout: "", stderr });
  });

  it("refuses an unknown option", async () => {
    expect(await run(["--port", "1"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^stele: .*--port.*see --help/),
    });
  });

  it("asks for Node 24 in one sentence where Node is older", async () => {
    const older = "data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.20.2'}})";
    expect(await run([], {}, ["--import", older])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr:
        "Stele needs Node 24 or newer, and this is Node 20.20.2: run it by npm (`npm ci && npm start`), " +
        "which brings Node 24 on Linux, or install Node 24.\n",
    });
  });

  it("says which setting is wrong", async () => {
    expect(await run([], { STELE_LOG_LEVEL: "loud" })).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "stele: STELE_LOG_LEVEL must be fatal, error, warn, info, debug, trace or silent\n",
    });
  });

  it("makes a token of which the file keeps the hash only", async () => {
    const directory = await mkdtemp(join(tmpdir(), "stele-token-"));
    const file = join(directory, "tokens.json");
    const made = await run(["token", "ci"], { STELE_TOKENS_FILE: file });
    expect(made).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^stele_[\w-]{43}\n$/), stderr: "" });
    const sha256 = createHash("sha256").update(made.stdout.trim()).digest("hex");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ tokens: [{ name: "ci", sha256 }] });
    await rm(directory, { recursive: true });
  });

  it.each([
    [["token"], { STELE_TOKENS_FILE: "/tmp/x" }, "say whose token it is, as in `npm run -s token ci`"],
    [["token", "ci"], {}, "set STELE_TOKENS_FILE to the file that the hash of the token is added to"],
    [["token", "a\u0430"], { STELE_TOKENS_FILE: "/tmp/x" }, "the name must be printable ASCII, at most 249 characters"],
    [["serve"], { STELE_TLS_CERT_FILE: "/x", STELE_TLS_KEY_FILE: "/y" }, "cannot read /x: ENOENT"],
  ])("says what %j with %j lacks", async (args, env, words) => {
    expect(await run(args, env)).toEqual({ exitCode: 1, stdout: "", stderr: `stele: ${words}\n` });
  });

  it("says that the port is taken, and stops the database that it had started", async () => {
    const taken = createServer();
    await once(taken.listen(0, "127.0.0.1"), "listening");
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : 0;
    await using test = await createTestDatabase();
    const ended = await run(["serve"], { STELE_LISTEN: `127.0.0.1:${port}`, DATABASE_URL: test.url });
    taken.close();
    expect(ended).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^stele: cannot listen on 127\.0\.0\.1:\d+; another program listens there/);
  });
});

describe("stele with DATABASE_URL", () => {
  it("says what to do about a schema that is behind, and `migrate` does it", async () => {
    await using test = await createTestDatabase("template0");
    const env = { DATABASE_URL: test.url, STELE_LISTEN: "127.0.0.1:0" };
    const admin = { DATABASE_URL: test.adminUrl };
    expect(await run(["serve"], env)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^stele: the schema of the database is older .*npm run migrate/),
    });
    expect(await run(["migrate"], admin)).toEqual({
      exitCode: 0,
      stdout: "applied: model_version, release_index\n",
      stderr: "",
    });
    expect(await run(["migrate"], admin)).toEqual({ exitCode: 0, stdout: "the schema is current\n", stderr: "" });
    await using service = await startServiceProcess(env);
    expect(service.stdout).toContain(`Stele ${version} listens on ${service.address}, Postgres at `);
    expect(await service.stop()).toBe(0);
  });

  it("warns when the database user has more rights than it needs, and names them", async () => {
    await using test = await createTestDatabase();
    await using asAdministrator = await startServiceProcess({ DATABASE_URL: test.adminUrl });
    expect(asAdministrator.stderr).toContain('"rights":["is a superuser","may become the owner of model_version"');
    await using asService = await startServiceProcess({ DATABASE_URL: test.url });
    expect(asService.stderr).not.toContain("rights");
  });

  it("refuses a schema of a later release", async () => {
    await using test = await createTestDatabase();
    await test.database.insertInto("stele_migration").values({ version: 99, name: "later" }).execute();
    expect(await run(["serve"], { DATABASE_URL: test.url })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^stele: the schema of the database is newer/),
    });
  });

  it.each([
    ["nobody listens", "postgres://stele:secret@127.0.0.1:1/stele", /ECONNREFUSED 127\.0\.0\.1:1/],
    ["nobody listens on any address", "postgres://stele:secret@localhost:1/stele", /ECONNREFUSED/],
    ["the host does not exist", "postgres://stele:secret@registry.invalid/stele", /ENOTFOUND|EAI_AGAIN/],
  ])("says why the database cannot be used, without its password: %s", async (_, url, reason) => {
    for (const command of ["serve", "migrate", "check"]) {
      const { exitCode, stderr } = await run([command], { DATABASE_URL: url, STELE_START_PATIENCE_SECONDS: "0" });
      expect({ exitCode, lines: stderr.trimEnd().split("\n").length }).toEqual({ exitCode: 1, lines: 1 });
      expect(stderr).toMatch(/^stele: cannot use Postgres at .*; check DATABASE_URL and that server\n$/);
      expect(stderr).toMatch(reason);
      expect(stderr).not.toContain("secret");
    }
  });

  it("says the settings in force without secrets, and what the database is", async () => {
    await using test = await createTestDatabase();
    const url = test.url.replace(/^postgres:\/\/([^@:/]+)@/, "postgres://$1:secret@");
    const { exitCode, stdout, stderr } = await run(["check"], { DATABASE_URL: url, STELE_MAX_CALLS: "7" });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("STELE_LISTEN=127.0.0.1:50051  (default)\n");
    expect(stdout).toContain("STELE_MAX_CALLS=7\n");
    expect(stdout).toContain("STELE_SHUTDOWN_GRACE_SECONDS=10  (default)\n");
    expect(stdout).toMatch(/\nfiles: can be used\ndatabase: Postgres at .*, Postgres 18\.\d.*, schema current\n$/);
    expect(stdout).not.toContain("secret");
  });

  it("waits for a database that is not there yet, and says so", async () => {
    await using test = await createTestDatabase();
    const proxy = new PostgresProxy(test.connection);
    const url = await proxy.listen();
    await proxy[Symbol.asyncDispose]();
    const port = Number(new URL(url).port);
    const starting = startServiceProcess({ DATABASE_URL: url });
    await setTimeout(1500);
    await using later = new PostgresProxy(test.connection);
    await later.listen(port);
    await using service = await starting;
    expect(service.stderr).toContain(`waiting for Postgres at 127.0.0.1:${port}`);
    expect(await service.stop()).toBe(0);
  });

  it("says that the database does not exist", async () => {
    await using test = await createTestDatabase();
    const { stderr } = await run(["serve"], { DATABASE_URL: test.url.replace(/\/[^/]*$/, "/nowhere") });
    expect(stderr).toMatch(/^stele: cannot use Postgres at .*\/nowhere \(database "nowhere" does not exist\)/);
  });

  it("says that `migrate` needs it", async () => {
    expect(await run(["migrate"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "stele: DATABASE_URL is not set; the embedded database migrates by itself when the service starts\n",
    });
  });
});
