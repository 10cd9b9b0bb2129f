import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedPostgresError } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import {
  eventually,
  query,
  ServiceProcess,
  serviceAddress,
  start,
  temporaryFolder,
} from "./embedded-postgres/harness.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDirectory: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  dataDirectory = join(folder.path, "data");
  await using postgres = await start(dataDirectory);
  await postgres.stop();
});

afterAll(() => folder[Symbol.asyncDispose]());

function refusal(pid: number, path = dataDirectory): string {
  return (
    `the data directory ${path} is in use by another Stele service (process ${pid}, serving ${serviceAddress}); ` +
    "stop that one, set STELE_DATA_DIR to a directory of this one's own, " +
    "or set DATABASE_URL to use a Postgres server of your own"
  );
}

describe("a second service on a data directory", () => {
  it("is refused, naming the first, which goes on undisturbed", async () => {
    await using first = new ServiceProcess(dataDirectory);
    const { connection, postmasterPid } = await first.running();
    await expect(start(dataDirectory)).rejects.toEqual(new EmbeddedPostgresError(refusal(first.pid)));
    expect(await query(connection, "select 1")).toBe(1);
    expect((await readFile(join(dataDirectory, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]).toBe(
      String(postmasterPid),
    );
  });

  it("is refused in the same process too", async () => {
    await using _first = await start(dataDirectory);
    await expect(start(dataDirectory)).rejects.toEqual(new EmbeddedPostgresError(refusal(process.pid)));
  });

  it("starts once the first has stopped", async () => {
    await using first = await start(dataDirectory);
    await first.stop();
    await using second = await start(dataDirectory);
    expect(await query(second.connection, "select 1")).toBe(1);
  });
});

describe("a claim that its owner left behind", () => {
  it("does not count, even if the owner's pid is another program's by now", async () => {
    const owner = { pid: process.pid, serviceAddress, socketDirectory: folder.path };
    await writeFile(join(dataDirectory, "owner.json"), JSON.stringify(owner));
    await using postgres = await start(dataDirectory);
    expect(await query(postgres.connection, "select 1")).toBe(1);
  });

  it("is taken over by exactly one of several services that start at the same moment", async () => {
    for (let round = 0; round < 2; round += 1) {
      await using owner = new ServiceProcess(dataDirectory);
      await owner.running();
      await owner.kill();
      await expectOneWinner(dataDirectory, 6);
    }
  });

  it("is made by exactly one of several first services on a new directory", async () => {
    await using other = await temporaryFolder();
    await expectOneWinner(join(other.path, "new", "data"), 4);
  });
});

async function expectOneWinner(path: string, count: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const services = Array.from({ length: count }, () => stack.use(new ServiceProcess(path)));
  const outcomes = await Promise.all(services.map(({ outcome }) => outcome));
  const winners = services.filter((_, index) => outcomes[index]?.connection !== undefined);
  expect(winners).toHaveLength(1);
  const expected = refusal(winners[0]?.pid ?? 0, path);
  const refusals = outcomes.filter(({ connection }) => connection === undefined).map((outcome) => outcome.refusal);
  expect(refusals).toEqual(Array(count - 1).fill(expected));
  const { connection } = (await winners[0]?.running()) ?? {};
  if (connection !== undefined) expect(await eventually(() => query(connection, "select 1"))).toBe(1);
}
