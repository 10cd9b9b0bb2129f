// A process that cannot outlive the service. A small shell holds the read end of a pipe whose write end only the
// service has: when the service dies, however it dies, the pipe ends and the shell interrupts the process. The shell is
// in a session of its own, so that a Ctrl-C in the terminal reaches the service alone, which then drains first.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { EmbeddedPostgresError, useDatabaseUrl } from "./embedded-postgres-error.ts";
import { asUnprivilegedUser, postgresEnvironment } from "./unprivileged.ts";

// SIGINT is repeated because a process that is just starting still ignores it. The watcher is killed, not asked,
// because it inherits the ignored signals; after `wait` returns, $child may be anybody's pid.
const script = `
trap '' INT TERM HUP
exec 3<&0
"$@" </dev/null >&2 3<&- &
child=$!
{ read -r _ <&3; tries=0; while [ $tries -lt 50 ] && kill -INT "$child"; do tries=$((tries+1)); sleep 0.2; done; } >/dev/null 2>&1 &
watcher=$!
echo "$child"
exec >&- 3<&-
wait "$child"
status=$?
exec 2>/dev/null
kill -KILL "$watcher"
wait "$watcher"
exit "$status"
`;

/** How a process ended, in words for a log. */
export type Ending = string;

/** A running process that is interrupted when the service dies. */
export class GuardedProcess {
  readonly pid: number;
  /** Settles when the process, or its guard, has ended. */
  readonly ended: Promise<Ending>;
  #hasEnded = false;
  readonly #input: Writable;

  constructor(pid: number, input: Writable, ended: Promise<Ending>) {
    this.pid = pid;
    this.#input = input;
    this.ended = ended.then((ending) => {
      this.#hasEnded = true;
      return ending;
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Has the guard interrupt the process, as if the service had died. */
  interrupt(): void {
    this.#input.destroy();
  }
}

/** Starts a program, for Postgres unprivileged, with both of its outputs in the open file `outputFd`. */
export async function spawnGuarded(
  command: readonly [string, ...string[]],
  { outputFd, environment = {} }: { outputFd: number; environment?: Record<string, string> },
): Promise<GuardedProcess> {
  const shell = spawn("/bin/sh", ["-c", script, "stele-postgres-guard", ...asUnprivilegedUser(command)], {
    detached: true,
    cwd: "/",
    env: { ...postgresEnvironment(), ...environment },
    stdio: ["pipe", "pipe", outputFd],
  });
  const { stdin, stdout } = shell;
  const ended = endingOf(shell);
  if (stdin === null || stdout === null) throw guardFailed(await ended);
  stdin.on("error", () => {});
  const first = await Promise.race([once(stdout, "data"), ended]);
  const pid = Number.parseInt(String(first), 10);
  if (!(pid > 0)) throw guardFailed(String(first));
  return new GuardedProcess(pid, stdin, ended);
}

function guardFailed(reason: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(`the embedded Postgres cannot be started by /bin/sh (${reason}); ${useDatabaseUrl}`);
}

function endingOf(shell: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    shell.once("error", (error) => resolve(error.message));
    shell.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
