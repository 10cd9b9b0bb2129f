// What is killed here with -9 leaves nothing that blocks the next start. The tests share one data directory, as the
// runs of one service do: each finds it as the one before left it.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../src/store/embedded-postgres/application-database.ts";
import { isPostmasterOf, readPostmasterFile } from "../../src/store/embedded-postgres/postmaster.ts";
import {
  eventually,
  guardOf,
  isRunning,
  query,
  recordingLog,
  ServiceProcess,
  start,
  temporaryFolder,
} from "./embedded-postgres/harness.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDirectory: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  dataDirectory = join(folder.path, "data");
  await using postgres = await start(dataDirectory);
  await query(postgres.connection, "create table kept (entry text)");
});

afterAll(() => folder[Symbol.asyncDispose]());

describe("after kill -9 of the service", () => {
  it("the next start works at once, and nothing of the dead one is left", async () => {
    await using service = new ServiceProcess(dataDirectory);
    const { connection, postmasterPid } = await service.running();
    await query(connection, "insert into kept values ('before the kill')");
    await service.kill();

    await using postgres = await start(dataDirectory);
    expect(isRunning(postmasterPid)).toBe(false);
    expect(await query(postgres.connection, "select entry from kept")).toBe("before the kill");
    await expect(stat(connection.host)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("its Postgres shuts down by itself", async () => {
    await using service = new ServiceProcess(dataDirectory);
    const { postmasterPid } = await service.running();
    await service.kill();
    await eventually(() => !isRunning(postmasterPid));
    expect(await readFile(join(dataDirectory, "postgres.log"), "utf8")).toMatch(/database system is shut down\n$/);
  });

  it("and of the guard, the next start stops the orphan", async () => {
    await using service = new ServiceProcess(dataDirectory);
    const { postmasterPid } = await service.running();
    await killWithGuard(service, postmasterPid);
    expect(isRunning(postmasterPid)).toBe(true);

    const log = recordingLog();
    await using postgres = await start(dataDirectory, { log });
    expect(isRunning(postmasterPid)).toBe(false);
    expect(log.messages).toEqual(["stopping a Postgres that lost its guard"]);
    expect(await query(postgres.connection, "select 1")).toBe(1);
  });

  it("and of all but a busy backend, the next start waits for that one", async () => {
    await using service = new ServiceProcess(dataDirectory);
    const { connection, postmasterPid } = await service.running();
    // Computes for a good while without looking up.
    const busy = query(connection, "select count(*) from generate_series(1, 8000000)");
    const backend = await eventually(() => findBusyBackend(connection));
    await killWithGuard(service, postmasterPid, postmasterPid);
    expect(isRunning(backend)).toBe(true);

    await using postgres = await start(dataDirectory);
    expect(isRunning(backend)).toBe(false);
    expect(await query(postgres.connection, "select 1")).toBe(1);
    expect(await busy).toBe("8000000");
  });

  it("in the middle of initdb, the next start makes the cluster anew", async () => {
    await using other = await temporaryFolder();
    const isBegun = async () => {
      const draft = (await readdir(other.path)).find((name) => name.startsWith("postgres.draft-"));
      return draft !== undefined && (await readdir(join(other.path, draft))).includes("base");
    };
    await using service = new ServiceProcess(other.path);
    await eventually(isBegun);
    await service.kill();
    await mkdir(join(other.path, "postgres.draft-of-a-killed-initdb", "base"), { recursive: true });

    await using postgres = await start(other.path);
    expect(await query(postgres.connection, "select 1")).toBe(1);
    const drafts = async () => (await readdir(other.path)).filter((name) => name.startsWith("postgres.draft-"));
    expect(await drafts()).toEqual([]);
  });
});

describe("a Postgres that dies under its service", () => {
  it("is started again behind the same socket, with what was committed", async () => {
    const log = recordingLog();
    await using postgres = await start(dataDirectory, { log });
    const killed = postgres.postmasterPid() ?? 0;
    await query(postgres.connection, "insert into kept values ('committed')");
    process.kill(killed, "SIGKILL");

    const answer = await eventually(() =>
      query(postgres.connection, "select entry from kept where entry = 'committed'"),
    );
    expect(answer).toBe("committed");
    await eventually(() => log.messages.includes("Postgres is back"));
    expect(postgres.postmasterPid()).not.toBe(killed);
    expect(log.messages[0]).toBe("Postgres ended unasked; starting it again");
  });

  it("recovers by itself when one of its backends is killed", async () => {
    await using postgres = await start(dataDirectory);
    const pid = postgres.postmasterPid();
    const backend = Number(
      await query(postgres.connection, "select pid from pg_stat_activity where backend_type = 'walwriter'"),
    );
    process.kill(backend, "SIGKILL");
    await eventually(() => !isRunning(backend));
    expect(await eventually(() => query(postgres.connection, "select 1"))).toBe(1);
    expect(postgres.postmasterPid()).toBe(pid);
  });

  it("is replaced when its guard is killed, because nobody would stop it", async () => {
    await using postgres = await start(dataDirectory);
    const unguarded = postgres.postmasterPid() ?? 0;
    const { guard, watcher } = guardOf(unguarded);
    process.kill(guard, "SIGKILL");
    const next = await eventually(() => {
      const pid = postgres.postmasterPid();
      return pid === unguarded ? undefined : pid;
    });
    expect(isRunning(unguarded)).toBe(false);
    await eventually(() => !isRunning(watcher));
    expect(guardOf(next).guard).toBeGreaterThan(0);
  });

  it("stays down when the service stops while it is being started again", async () => {
    for (const wait of [undefined, "Postgres ended unasked; starting it again", "Postgres is back"]) {
      const log = recordingLog();
      await using postgres = await start(dataDirectory, { log });
      process.kill(postgres.postmasterPid() ?? 0, "SIGKILL");
      await eventually(() => wait === undefined || log.messages.includes(wait));
      await postgres.stop();
      const cluster = join(dataDirectory, "postgres");
      const pid = (await readPostmasterFile(cluster))?.pid;
      expect(pid !== undefined && (await isPostmasterOf(pid, cluster))).toBe(false);
    }
  });
});

describe("a postmaster.pid that is not true any more", () => {
  it("is no obstacle when its process is gone", async () => {
    const { pid } = spawnSync("true");
    await leavePostmasterFile(pid);
    await using postgres = await start(dataDirectory);
    expect(await query(postgres.connection, "select 1")).toBe(1);
  });

  it.each([
    { whose: "another program's", cwd: "postgres", argv0: "sleep" },
    { whose: "another cluster's postmaster's", cwd: ".", argv0: "postgres" },
  ])("is no obstacle when its pid is $whose by now, which is left alone", async ({ cwd, argv0 }) => {
    const other = spawn("sleep", ["100"], { cwd: join(dataDirectory, cwd), argv0 });
    await once(other, "spawn");
    await leavePostmasterFile(other.pid ?? 0);
    {
      await using postgres = await start(dataDirectory);
      expect(await query(postgres.connection, "select 1")).toBe(1);
    }
    expect(other.exitCode ?? other.signalCode).toBeNull();
    other.kill();
  });
});

describe("a signal that ends a service", () => {
  it("leaves the guard alone where every process gets it", async () => {
    await using postgres = await start(dataDirectory);
    const pid = postgres.postmasterPid() ?? 0;
    const before = guardOf(pid);
    for (const guard of [before.guard, before.watcher]) process.kill(guard, "SIGTERM");
    expect(await query(postgres.connection, "select pg_sleep(0.2) is not null")).toBe(true);
    expect(guardOf(pid)).toEqual(before);
  });

  it("does not reach Postgres before the service has drained where it is a Ctrl-C in the terminal", async () => {
    await using service = new ServiceProcess(dataDirectory);
    const { connection, postmasterPid } = await service.running();
    process.kill(-service.pid, "SIGINT");
    expect(await query(connection, "select pg_sleep(0.2) is not null")).toBe(true);
    expect(isRunning(postmasterPid)).toBe(true);
    expect(isRunning(service.pid)).toBe(true);
  });
});

/** Kills the service and all that would stop its Postgres, and more if asked to. */
async function killWithGuard(service: ServiceProcess, postmasterPid: number, ...more: number[]): Promise<void> {
  const { guard, watcher } = guardOf(postmasterPid);
  process.kill(service.pid, "SIGSTOP");
  for (const pid of [watcher, guard, ...more]) process.kill(pid, "SIGKILL");
  await service.kill();
}

async function findBusyBackend(connection: Connection): Promise<number | undefined> {
  const sql = "select pid from pg_stat_activity where query like '%generate_series%' and pid <> pg_backend_pid()";
  const pid = await query(connection, sql);
  return typeof pid === "number" ? pid : undefined;
}

/** Leaves the file of a server that is not running, as if a crash had, with another process's pid. */
async function leavePostmasterFile(pid: number): Promise<void> {
  const path = join(dataDirectory, "postgres", "postmaster.pid");
  await using postgres = await start(dataDirectory);
  const text = await readFile(path, "utf8");
  await postgres.stop();
  await writeFile(path, text.replace(/^\d+/, String(pid)));
}
