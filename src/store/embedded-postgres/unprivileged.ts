/**
 * The command line that runs a program as a user Postgres accepts. Postgres refuses to run as root, so root runs it in
 * a user namespace where it appears as nobody (the name must be in /etc/passwd); outside, its files stay root's own.
 */
export function asUnprivilegedUser(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  if (process.geteuid?.() !== 0) return command;
  return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--", ...command];
}

/** The environment of every process of Postgres: nothing of the service's own changes how it behaves. */
export function postgresEnvironment(): Record<string, string> {
  const { PATH = "/usr/bin:/bin" } = process.env;
  return { PATH, LC_ALL: "C" };
}
