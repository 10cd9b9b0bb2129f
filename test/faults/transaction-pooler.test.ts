import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { Level, Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { itUnless } from "../polyglot/toolchain.ts";
import { insertRows } from "../support/insert-rows.ts";
import { findPgbouncer, type Pgbouncer, startPgbouncer } from "../support/pgbouncer.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { endProgram } from "../support/program.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { rowOf } from "../support/row.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const stele = fileURLToPath(new URL("../../bin/stele.mjs", import.meta.url));
const program = await findPgbouncer();
const missing = program === undefined ? "pgbouncer is missing, and apt-get does not bring it" : undefined;
const WRITERS = 16;

describe("through a pooler in transaction mode, without prepared statements", () => {
  const resources = new AsyncDisposableStack();
  let database: TestDatabase;
  let pooler: Pgbouncer;
  let service: ServiceProcess;
  let client: RegistryClient;

  beforeAll(async () => {
    if (program === undefined) return;
    database = resources.use(await createTestDatabase("template0"));
    const { user } = inject("postgres");
    pooler = resources.use(await startPgbouncer(program, inject("postgres"), [user, testRoles.service]));
    const applied = expect.stringMatching(/^applied: model_version, /);
    expect(await migrate()).toEqual({ exitCode: 0, stdout: applied, stderr: "" });
    const settings = { DATABASE_URL: serviceUrl(), STELE_PREPARED_STATEMENTS: "false" };
    service = resources.use(await startServiceProcess(settings));
    client = resources.use(new RegistryClient(service.address));
  });

  afterAll(async () => await resources.disposeAsync());

  const serviceUrl = () => pooler.urlOf(testRoles.service, database.connection.database);

  async function migrate() {
    const DATABASE_URL = pooler.urlOf(inject("postgres").user, database.connection.database);
    return await endProgram(process.execPath, [stele, "migrate"], { env: { DATABASE_URL } });
  }

  itUnless(missing, "`migrate` finds nothing more to do, also when five race", async () => {
    const endings = await Promise.all(Array.from({ length: 5 }, migrate));
    for (const ending of endings) {
      expect(ending).toEqual({ exitCode: 0, stdout: "the schema is current\n", stderr: "" });
    }
  });

  itUnless(missing, "versions are registered with their dependencies, once", async () => {
    const base = await client.registerBare("base", "1.0.0");
    const number = { case: "version", value: "1.0.0" } as const;
    const dependencies = [{ model: "base", version: "1.0.0", relation: "base" }];
    const request = { model: "tuned", number, metadata: { dependencies }, requestId: randomUUID() };
    const stored = await client.register(request);
    expect(await client.register(request)).toEqual(stored);
    expect(await client.getExact("tuned", "1.0.0")).toEqual(stored);
    expect(await client.getExact("base", "1.0.0")).toEqual(base);
    expect(await errorOf(client.registerBare("tuned", "1.0.0"))).toMatchObject({ reason: "VERSION_ALREADY_EXISTS" });
    const unknown = { dependencies: [{ model: "base", version: "2.0.0" }] };
    const refused = errorOf(
      client.register({ model: "tuned", number: { ...number, value: "1.0.1" }, metadata: unknown }),
    );
    expect(await refused).toMatchObject({ reason: "DEPENDENCY_NOT_FOUND" });
  });

  itUnless(missing, "increments of many writers take each number once, and leave no gap", async () => {
    const number = { case: "increment", value: { level: Level.PATCH } } as const;
    const write = async () => (await client.register({ model: "raced", number, requestId: randomUUID() }))?.version;
    const rounds = 4;
    const taken = await Promise.all(
      Array.from({ length: WRITERS }, async () => [await write(), await write(), await write(), await write()]),
    );
    const expected = Array.from({ length: WRITERS * rounds }, (_, patch) => `0.0.${patch + 1}`);
    expect(taken.flat().toSorted()).toEqual(expected.toSorted());
    expect(await client.listAll({ model: "raced", order: Order.LOWEST_FIRST })).toEqual(expected);
  });

  itUnless(missing, "versions are found by ranges", async () => {
    for (const version of ["1.0.0", "1.2.0", "1.2.1-rc.1", "2.0.0"]) await client.registerBare("ranged", version);
    const resolve = async (range: string) =>
      (await client.get({ model: "ranged", selector: { case: "range", value: range } }))?.version;
    expect(await resolve("^1.0")).toBe("1.2.0");
    expect(await resolve("*")).toBe("2.0.0");
    expect(await resolve("~1.2.1-rc.0")).toBe("1.2.1-rc.1");
    const none = errorOf(client.get({ model: "ranged", selector: { case: "range", value: "^3" } }));
    expect(await none).toMatchObject({ reason: "VERSION_NOT_FOUND", metadata: { nearest_below: "2.0.0" } });
  });

  itUnless(missing, "a listing of 2,000 versions is whole, also eight at once, and models are listed", async () => {
    const versions = Array.from({ length: 2000 }, (_, patch) => `1.0.${patch}`);
    await insertRows(
      database.database,
      versions.map((version) => rowOf("listed/large", version)),
    );
    const listings = Array.from({ length: 8 }, () =>
      client.listAll({ model: "listed/large", order: Order.LOWEST_FIRST }),
    );
    for (const listing of await Promise.all(listings)) expect(listing).toEqual(versions);
    await client.registerBare("listed/small", "0.1.0");
    const pages = await Array.fromAsync(client.listModels({ prefix: "listed/" }));
    expect(pages.flatMap(({ models }) => models)).toMatchObject([
      { name: "listed/large", highestRelease: "1.0.1999", highestVersion: "1.0.1999" },
      { name: "listed/small", highestRelease: "0.1.0", highestVersion: "0.1.0" },
    ]);
  });

  itUnless(missing, "the service is healthy, and has nothing to complain of", async () => {
    const health = new HealthClient(service.address, credentials.createInsecure());
    const { promise, resolve } = Promise.withResolvers<HealthCheckResponse | undefined>();
    health.check(create(HealthCheckRequestSchema), (_, response) => resolve(response));
    expect((await promise)?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    health.close();
    expect(await service.stop()).toBe(0);
    expect(service.stderr).not.toMatch(/"level":[456]0/);
  });
});
