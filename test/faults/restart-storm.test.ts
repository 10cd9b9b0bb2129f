import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { migrations } from "../../src/store/migrate.ts";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { endProgram } from "../support/program.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase } from "../support/test-database.ts";

const stele = fileURLToPath(new URL("../../bin/stele.mjs", import.meta.url));
const PROCESSES = 10;
const CURRENT = "the schema is current\n";

it("migrates once and serves from every one of ten processes that start at once on an empty database", async () => {
  await using database = await createTestDatabase("template0");
  await using proxy = new DatabaseProxy(database.connection);
  // A migration takes long enough for the others to begin meanwhile.
  proxy.delayMs = 20;
  const adminUrl = await proxy.listen(database.connection.user);
  await using services = new AsyncDisposableStack();
  const started = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const migrated = await migrate(adminUrl);
      const settings = { DATABASE_URL: database.url, STELE_DATABASE_CONNECTIONS: "2" };
      return { migrated, service: services.use(await startServiceProcess(settings)) };
    }),
  );
  const applied = `applied: ${migrations.map(({ name }) => name).join(", ")}\n`;
  const said = started.map(({ migrated }) => migrated).toSorted();
  expect(said).toEqual([applied, ...Array.from({ length: PROCESSES - 1 }, () => CURRENT)]);
  const rows = await database.database
    .selectFrom("stele_migration")
    .select(["version", "name"])
    .orderBy("version")
    .execute();
  expect(rows).toEqual(migrations.map(({ name }, index) => ({ version: index + 1, name })));
  const versions = started.map((_, patch) => `1.0.${patch}`);
  for (const [index, { service }] of started.entries()) {
    using client = new RegistryClient(service.address);
    await client.registerBare("stormy", versions[index] ?? "");
    expect(await client.listAll({ model: "stormy" })).toEqual(versions.slice(0, index + 1).toReversed());
  }
  const codes = await Promise.all(started.map(async ({ service }) => await service.stop()));
  expect(codes).toEqual(started.map(() => 0));
}, 120_000);

/** What `migrate` says, as the administrator; throws where it fails. */
async function migrate(adminUrl: string): Promise<string> {
  const ending = await endProgram(process.execPath, [stele, "migrate"], { env: { DATABASE_URL: adminUrl } });
  expect(ending).toMatchObject({ exitCode: 0, stderr: "" });
  return ending.stdout;
}
