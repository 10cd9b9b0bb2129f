import { once } from "node:events";
import { readFileSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { migrations } from "../../src/store/migrate.ts";
import { parseDockerfile } from "../support/dockerfile.ts";
import { buildImage, type Image } from "../support/image.ts";
import { freeAddress } from "../support/metrics.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { createTestDatabase } from "../support/test-database.ts";

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

let image: Image;

// npm installs the dependencies from the registry.
beforeAll(async () => {
  image = await buildImage();
}, 600_000);

afterAll(async () => await image[Symbol.asyncDispose]());

it("the image has what the service needs at run time, and nothing else", async () => {
  const app = join(image.root, "app");
  expect((await readdir(app)).sort()).toEqual(["bin", "gen", "node_modules", "package.json", "src"]);
  const files = await readdir(app, { recursive: true });
  expect(files.filter((path) => !path.startsWith("node_modules/") && path.includes(".test."))).toEqual([]);

  interface Lockfile {
    readonly packages: Record<string, { dev?: true; optional?: true; devOptional?: true }>;
  }
  const { packages } = JSON.parse(read("package-lock.json")) as Lockfile;
  const needed = Object.entries(packages).filter(([, each]) => !each.dev && !each.optional && !each.devOptional);
  const installed = JSON.parse(readFileSync(join(app, "node_modules", ".package-lock.json"), "utf8")) as Lockfile;
  expect(Object.keys(installed.packages).sort()).toEqual(
    needed
      .map(([path]) => path)
      .filter((path) => path !== "")
      .sort(),
  );
});

it("every user can read all of it, and none but its owner change it", async () => {
  const paths = await readdir(image.root, { recursive: true });
  const modes = await Promise.all(
    paths.map(async (path) => {
      const entry = await lstat(join(image.root, path));
      const needed = entry.isDirectory() ? 0o005 : 0o004;
      const isRight = entry.isSymbolicLink() || ((entry.mode & needed) === needed && (entry.mode & 0o022) === 0);
      return isRight ? [] : [path];
    }),
  );
  expect(modes.flat()).toEqual([]);
});

it("the entry point is the start command, and no shell stands before it", () => {
  const { start } = JSON.parse(read("package.json")).scripts as { start: string };
  const variables = Object.entries(image.env).flatMap(([name, value]) =>
    name.startsWith("MALLOC_") ? [`${name}=${value}`] : [],
  );
  const words = [...variables, "exec", ...image.commandOf("ENTRYPOINT"), ...image.commandOf("CMD")];
  expect(words.join(" ").replace("/app/", "")).toBe(start);
});

it("asks for DATABASE_URL where there is none", async () => {
  const { exitCode, stdout, stderr } = await image.run([], { STELE_INSECURE: "true" }).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toMatch(/^stele: no embedded Postgres is installed for .*DATABASE_URL/);
});

it("does not open its door to everybody unless that is said", async () => {
  expect(await image.run([], { DATABASE_URL: "postgres://stele_service@127.0.0.1:1/stele" }).ended).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: expect.stringMatching(/^stele: STELE_LISTEN 0\.0\.0\.0 can be reached .*STELE_INSECURE=true/),
  });
});

it("migrates, checks, serves, tells its health, and ends on SIGTERM", async () => {
  await using database = await createTestDatabase("template0");
  await using asAdministrator = new PostgresProxy(database.connection);
  await using asService = new PostgresProxy({ ...database.connection, user: "stele_service" });
  const local = { STELE_LISTEN: "127.0.0.1:50051" };
  const migrated = await image.run(["migrate"], { ...local, DATABASE_URL: await asAdministrator.listen() }).ended;
  const applied = `applied: ${migrations.map(({ name }) => name).join(", ")}\n`;
  expect(migrated).toEqual({ exitCode: 0, stdout: applied, stderr: "" });

  const port = (await freeAddress()).split(":")[1];
  const open = { STELE_LISTEN: `0.0.0.0:${port}`, STELE_INSECURE: "true" };
  const env = { ...open, DATABASE_URL: await asService.listen() };
  const checked = await image.run(["check"], env).ended;
  expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
  expect(checked.stdout).toMatch(/\ndatabase: Postgres at 127\.0\.0\.1:\d+\/\S+, Postgres \S+, schema current\n$/);

  await using service = image.run([], env);
  await once(service.child.stdout ?? service.child, "data");
  const healthy = { exitCode: 0, stdout: `127.0.0.1:${port}: SERVING\n`, stderr: "" };
  await expect.poll(() => image.checkHealth(env).ended, { timeout: 30_000 }).toEqual(healthy);
  service.child.kill("SIGTERM");
  expect(await service.ended).toMatchObject({ exitCode: 0 });
  expect(await image.checkHealth(env).ended).toMatchObject({ exitCode: 1, stderr: "" });
});

it("a Dockerfile with an instruction that this test does not carry out is refused", () => {
  expect(() => parseDockerfile("FROM a\nADD https://example.com/x /x/")).toThrow("ADD https://example.com/x /x/");
  expect(() => parseDockerfile("FROM a\nRUN one && \\\n  two")).toThrow("RUN one && \\");
  expect(() => parseDockerfile("FROM a\nCOPY --chown=1 x y/")).toThrow("COPY --chown=1 x y/");
});

it.each(["Dockerfile", "compose.yaml", "deploy/kubernetes.yaml"])("%s names no setting that does not exist", (name) => {
  const known = new Set([...read("src/config.ts").matchAll(/^ {2}([A-Z_]+): /gm)].map(([, setting]) => setting));
  const named = [...read(name).matchAll(/\b(?:STELE|DATABASE)_[A-Z_]+\b/g)].map(([setting]) => setting);
  expect(named.filter((setting) => !known.has(setting))).toEqual([]);
  expect(named.length).toBeGreaterThan(0);
});

it("the example for Compose publishes nothing beyond this machine", () => {
  const published = [...read("compose.yaml").matchAll(/^ +ports:\n((?: +- .*\n)+)/gm)].map(([, ports = ""]) =>
    ports.trim(),
  );
  expect(published).toEqual(["- 127.0.0.1:50051:50051"]);
});

it("the example for Kubernetes has the user, the health check and the release of the image", () => {
  const kubernetes = read("deploy/kubernetes.yaml");
  const user = parseDockerfile(read("Dockerfile"))
    .flatMap(({ steps }) => steps)
    .find((step) => step.kind === "USER");
  const users = [...kubernetes.matchAll(/runAs(?:User|Group): (\d+)/g)].map(([, number]) => Number(number));
  expect(users).toEqual([user?.uid, user?.gid, user?.uid, user?.gid]);
  expect(kubernetes).toContain(`command: [${image.commandOf("HEALTHCHECK").join(", ")}]`);
  const version = (JSON.parse(read("package.json")) as { version: string }).version;
  expect([...kubernetes.matchAll(/image: \S+:(\S+)/g)].map(([, tag]) => tag)).toEqual([version, version]);
});
