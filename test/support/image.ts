// What `docker build` and `docker run` would do, done by hand in a folder, as ordinary users: one builds, another runs.
// Node is this one, where the base image has its own.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, isAbsolute, join, matchesGlob, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDockerfile, type Stage, type Step } from "./dockerfile.ts";
import { type Ending, findProgram, runProgram } from "./program.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

type Environment = Readonly<Record<string, string>>;
type User = { readonly uid: number; readonly gid: number };

const isRoot = process.getuid?.() === 0;
const nobody: User = { uid: 65_534, gid: 65_534 };

/** A process of the image; disposing of it kills what still runs. */
export interface Running extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<Ending>;
}

/** A built image. */
export class Image implements AsyncDisposable {
  /** Its file system, as far as the Dockerfile makes it. */
  readonly root: string;
  readonly env: Environment;
  readonly #folder: string;
  readonly #steps: readonly Step[];

  constructor(folder: string, root: string, steps: readonly Step[]) {
    this.#folder = folder;
    this.root = root;
    this.#steps = steps;
    this.env = environmentOf(steps);
  }

  /** The words of its ENTRYPOINT, CMD or HEALTHCHECK. */
  commandOf(kind: "ENTRYPOINT" | "CMD" | "HEALTHCHECK"): readonly string[] {
    return this.#steps.flatMap((step) => (step.kind === kind ? step.command : []));
  }

  /** Starts the entry point with these arguments, or with those of CMD, as the image's user where this one is root. */
  run(args: readonly string[], env: Environment): Running {
    return this.#start([...this.commandOf("ENTRYPOINT"), ...(args.length > 0 ? args : this.commandOf("CMD"))], env);
  }

  /** Starts the health check. */
  checkHealth(env: Environment): Running {
    return this.#start(this.commandOf("HEALTHCHECK"), env);
  }

  #start(command: readonly string[], env: Environment): Running {
    const words = command.map((word) => (isAbsolute(word) ? join(this.root, word) : word));
    const path = join(this.#folder, "bin");
    return start(words, {
      cwd: "/",
      env: { PATH: path, HOME: "/nonexistent", ...this.env, ...env },
      user: this.#steps.find((step) => step.kind === "USER"),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Carries out the Dockerfile of the checkout; throws what a step wrote that fails. */
export async function buildImage(): Promise<Image> {
  const folder = await mkdtemp(join(tmpdir(), "stele-image-"));
  await cp(process.execPath, join(folder, "bin", "node"));
  await copyContext(join(folder, "context"));
  await mkdir(join(folder, "home"));
  if (isRoot) await runProgram("chown", ["-R", `${nobody.uid}:${nobody.gid}`, folder]);
  await runProgram("chmod", ["755", folder]);
  const stages = parseDockerfile(await readFile(join(checkout, "Dockerfile"), "utf8"));
  for (const stage of stages) await buildStage(stage, folder);
  const last = stages.at(-1);
  if (last === undefined) throw new Error("the Dockerfile has no stage");
  return new Image(folder, rootOf(folder, last.name), last.steps);
}

/** What Docker gets of a checkout that is closed to other users. */
async function copyContext(target: string): Promise<void> {
  const isIgnored = ignoring(await readFile(join(checkout, ".dockerignore"), "utf8"));
  await cp(checkout, target, { recursive: true, filter: (path) => !isIgnored(relative(checkout, path)) });
  await runProgram("chmod", ["-R", "u=rwX,go=", target]);
}

/** Whether a .dockerignore keeps a path away: the last pattern decides that fits it or a folder that it is in. */
function ignoring(text: string): (path: string) => boolean {
  const rules = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return (path) => {
    const parts = path.split("/");
    const above = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    const last = rules.findLast((rule) =>
      above.some((each) => each !== "" && matchesGlob(each, rule.replace("!", ""))),
    );
    return last !== undefined && !last.startsWith("!");
  };
}

async function buildStage({ name, steps }: Stage, folder: string): Promise<void> {
  let workdir = rootOf(folder, name);
  for (const [index, step] of steps.entries()) {
    if (step.kind === "WORKDIR") workdir = join(rootOf(folder, name), step.path);
    const command = await commandFor(step, { folder, workdir });
    if (command === undefined) continue;
    const env = { ...(await buildEnvironment(folder)), ...environmentOf(steps.slice(0, index)) };
    const { exitCode, stdout, stderr } = await start(["/bin/sh", "-ec", command], {
      cwd: step.kind === "RUN" ? workdir : folder,
      env,
      user: nobody,
    }).ended;
    if (exitCode !== 0) throw new Error(`${step.kind} failed: ${command}\n${stdout}\n${stderr}`);
  }
}

/** What a step is in a shell; undefined for one that only says something about the image. */
async function commandFor(step: Step, { folder, workdir }: { folder: string; workdir: string }) {
  if (step.kind === "RUN") return step.command;
  if (step.kind === "WORKDIR") return `mkdir -p '${workdir}'`;
  if (step.kind !== "COPY") return undefined;
  const target = join(workdir, step.target);
  const from = step.from === undefined ? join(folder, "context") : rootOf(folder, step.from);
  const copies = step.sources.map(async (source) => {
    const path = join(from, source);
    // Of a folder the content is copied.
    return `cp -a '${(await stat(path)).isDirectory() ? `${path}/.` : path}' '${target}'`;
  });
  return [`mkdir -p '${target}'`, ...(await Promise.all(copies))].join("\n");
}

function rootOf(folder: string, stage = "image"): string {
  return join(folder, `stage-${stage}`);
}

function environmentOf(steps: readonly Step[]): Environment {
  return Object.fromEntries(steps.flatMap((step) => (step.kind === "ENV" ? [[step.name, step.value]] : [])));
}

/** Of this process's environment only what leads to the registry. */
async function buildEnvironment(folder: string): Promise<Environment> {
  const npm = await findProgram("npm");
  const isNetwork = (name: string) => /^(https?_proxy|no_proxy|npm_config_registry|node_extra_ca_certs)$/i.test(name);
  return {
    ...Object.fromEntries(
      Object.entries(process.env).flatMap(([name, value = ""]) => (isNetwork(name) ? [[name, value]] : [])),
    ),
    PATH: [join(folder, "bin"), dirname(npm ?? "/usr/bin/npm"), "/usr/bin", "/bin"].join(delimiter),
    HOME: join(folder, "home"),
  };
}

interface StartOptions {
  readonly cwd: string;
  readonly env: Environment;
  /** Who runs it, where this process is root and has the choice. */
  readonly user: User | undefined;
}

function start([program = "", ...args]: readonly string[], { cwd, env, user }: StartOptions): Running {
  const asUser = isRoot && user ? { uid: user.uid, gid: user.gid } : {};
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], ...asUser });
  const ended = endOf(child);
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return { child, ended, [Symbol.asyncDispose]: kill };
}

async function endOf(child: ChildProcess): Promise<Ending> {
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
    });
  }
  const [exitCode] = await once(child, "close");
  return { exitCode: exitCode ?? undefined, ...written };
}
