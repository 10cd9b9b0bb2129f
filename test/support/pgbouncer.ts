// PgBouncer in transaction mode, in front of the run's Postgres: that of the machine, or Debian's package, which is unpacked
// into the cache folder and not installed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asUnprivilegedUser } from "../../src/store/embedded-postgres/unprivileged.ts";
import { freeAddress } from "./metrics.ts";
import type { PostgresConnection } from "./postgres-setup.ts";
import { cacheFolder, findProgram, isExecutable, runProgram } from "./program.ts";

/** What to run. */
export interface PgbouncerProgram {
  readonly path: string;
  /** Where its libraries are that the machine does not have; empty: nowhere. */
  readonly libraries: string;
}

const kept = join(cacheFolder, "pgbouncer");

/** PgBouncer from PATH or /usr/sbin, else from Debian's package, kept for the next run; undefined where it cannot be had. */
export async function findPgbouncer(): Promise<PgbouncerProgram | undefined> {
  const installed = (await findProgram("pgbouncer")) ?? "/usr/sbin/pgbouncer";
  if (await isExecutable(installed)) return { path: installed, libraries: "" };
  const path = join(kept, "usr/sbin/pgbouncer");
  if (!(await isExecutable(path))) await download().catch(() => undefined);
  return (await isExecutable(path)) ? { path, libraries: await librariesIn(kept) } : undefined;
}

// Moved into place when it is whole: several tests may want it at the same time.
async function download(): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(cacheFolder, "pgbouncer-"));
  try {
    const depends = await runProgram("apt-cache", ["depends", "pgbouncer"]);
    const libraries = [...depends.matchAll(/Depends: (lib(?:event|c-ares)\S*)/g)].map(([, name = ""]) => name);
    await runProgram("apt-get", ["download", "pgbouncer", ...libraries], { cwd: folder });
    const packages = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
    const unpacked = join(folder, "unpacked");
    for (const name of packages) await runProgram("dpkg-deb", ["-x", join(folder, name), unpacked]);
    await rename(unpacked, kept);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function librariesIn(folder: string): Promise<string> {
  const names = await readdir(join(folder, "usr/lib"));
  return names
    .filter((name) => name.includes("-linux-"))
    .map((name) => join(folder, "usr/lib", name))
    .join(":");
}

/** A pooler that runs. */
export interface Pgbouncer extends AsyncDisposable {
  /** The URL of a database through it. */
  urlOf(user: string, database: string): string;
}

const SERVER_CONNECTIONS = 4;

/** Starts it in transaction mode, with few connections to Postgres, for these users, who need no password. */
export async function startPgbouncer(
  program: PgbouncerProgram,
  { host, port }: PostgresConnection,
  users: readonly string[],
): Promise<Pgbouncer> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "stele-pgbouncer-"));
  stack.defer(async () => await rm(folder, { recursive: true, force: true }));
  const address = await freeAddress();
  const userList = join(folder, "users.txt");
  await writeFile(userList, users.map((user) => `"${user}" ""\n`).join(""));
  const settings = join(folder, "pgbouncer.ini");
  await writeFile(settings, settingsOf({ host, port, userList, listenPort: address.split(":")[1] ?? "" }));
  stack.adopt(run(program, settings), stop);
  await untilListening(address);
  const running = stack.move();
  return {
    urlOf: (user, database) => `postgres://${encodeURIComponent(user)}@${address}/${database}`,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

interface Settings {
  readonly host: string;
  readonly port: number;
  readonly userList: string;
  readonly listenPort: string;
}

function settingsOf({ host, port, userList, listenPort }: Settings): string {
  return `[databases]
* = host=${host} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = trust
auth_file = ${userList}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 500
`;
}

// It refuses to run as root, and has to enter the directory of the socket of Postgres, which runs in the same way.
function run({ path, libraries }: PgbouncerProgram, settings: string): ChildProcess {
  const [command, ...args] = asUnprivilegedUser([path, settings]);
  const env = { ...process.env, ...(libraries !== "" && { LD_LIBRARY_PATH: libraries }) };
  return spawn(command, args, { env, stdio: "ignore" });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function untilListening(address: string): Promise<void> {
  const [host, port] = address.split(":");
  for (let attempts = 0; attempts < 200; attempts += 1) {
    const socket = connect(Number(port), host);
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error("pgbouncer did not listen within 10 s");
}
