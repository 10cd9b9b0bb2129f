import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { openDatabase } from "../../src/store/database.ts";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { healthOf } from "../support/health.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { RegistryLoad, seedLoad } from "../support/registry-load.ts";
import { type RpcError, readError } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";
import { createTestDatabase } from "../support/test-database.ts";

const GRACE_MS = 10_000;
const AWAY = "UNAVAILABLE DATABASE_UNAVAILABLE, again after 1000 ms";
const UNKNOWN = "UNKNOWN OUTCOME_UNKNOWN";
const SHUTTING_DOWN = "UNAVAILABLE SHUTTING_DOWN, again after 1000 ms";
/** Of a connection that is closed, or that nobody takes any more. */
const UNREACHABLE = "UNAVAILABLE undefined";
const request = { model: "large", order: Order.LOWEST_FIRST, pageSize: 50 } as const;

let dataDirectory: string;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "stele-shutdown-"));
  await using postgres = await startEmbeddedPostgres({
    dataDirectory,
    serviceAddress: "none, a test",
    log: pino({ level: "silent" }),
  });
  await using database = openDatabase({ connection: postgres.connection, onConnectionError: () => undefined });
  await migrate(database, testRoles);
  await seedLoad(database);
});

afterEach(async () => await rm(dataDirectory, { recursive: true, force: true, maxRetries: 10 }));

it.each(["SIGTERM", "SIGINT"] as const)(
  "%s under load ends the process in time, loses nothing that was acknowledged, and lets streams go on elsewhere",
  async (signal) => {
    const service = await startServiceProcess({ STELE_DATA_DIR: dataDirectory });
    using client = new RegistryClient(service.address);
    const load = new RegistryLoad(client);
    load.start({ register: 16, increment: 4, "repeat increment": 4, get: 4, list: 4, "list models": 4 });
    // A connection each: those who do not read share no window with others.
    const listings = Array.from({ length: 8 }, () => new OpenListing(service.address));
    await Promise.all(listings.map(async (listing) => await listing.readPage()));
    await load.untilProgress(3);

    const since = performance.now();
    const exit = service.stop(signal);
    const ends = await Promise.all(listings.map(async (listing) => await listing.readOn()));
    expect(await exit).toBe(0);
    expect(performance.now() - since).toBeLessThan(GRACE_MS);
    await load.stop();
    for (const end of ends) expect(end).toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
    expect(load.failuresBeside([SHUTTING_DOWN, UNREACHABLE])).toEqual([]);

    await using restarted = await startServiceProcess({ STELE_DATA_DIR: dataDirectory });
    using next = new RegistryClient(restarted.address);
    expect(await load.findViolations(next)).toEqual([]);
    const everything = await next.listAll(request);
    for (const { seen, pageToken } of listings) {
      expect([...seen, ...(await next.listAll({ ...request, pageToken }))]).toEqual(everything);
    }
  },
);

it.each(["refusing", "frozen", "mute", "gone"] as const)(
  "SIGTERM under load ends the process in time while the network to the database is %s",
  async (network) => {
    await using test = await createTestDatabase();
    await seedLoad(test.database);
    await using proxy = new DatabaseProxy(test.connection);
    const service = await startServiceProcess({ DATABASE_URL: await proxy.listen(testRoles.service) });
    using client = new RegistryClient(service.address);
    const load = new RegistryLoad(client);
    load.start(2);
    await load.untilProgress(3);
    proxy.become(network);
    await expect.poll(async () => await healthOf(service.address)).toBe("NOT_SERVING");
    const since = performance.now();
    expect(await service.stop()).toBe(0);
    expect(performance.now() - since).toBeLessThan(GRACE_MS + 5_000);
    await load.stop();
    expect(load.failuresBeside([AWAY, UNKNOWN, SHUTTING_DOWN, UNREACHABLE])).toEqual([]);

    proxy.become("open");
    await using restarted = await startServiceProcess({ DATABASE_URL: test.url });
    using next = new RegistryClient(restarted.address);
    expect(await load.findViolations(next)).toEqual([]);
  },
);

/** A listing that is read as slowly as the test wants. */
class OpenListing {
  readonly seen: string[] = [];
  pageToken = "";
  readonly #client: RegistryClient;
  readonly #pages: ReturnType<RegistryClient["list"]>;

  constructor(address: string) {
    this.#client = new RegistryClient(address);
    this.#pages = this.#client.list(request);
  }

  /** Reads one page; answers whether there was one. */
  async readPage(): Promise<boolean> {
    const { done, value } = await this.#pages.next();
    if (done === true) return false;
    this.seen.push(...versionsOf(value));
    this.pageToken = value.nextPageToken;
    return true;
  }

  /** Reads what still comes; answers the error at the end, if there is one. */
  async readOn(): Promise<RpcError | undefined> {
    try {
      while (await this.readPage());
      return undefined;
    } catch (error) {
      return readError(error as ServiceError); // Nothing else throws here.
    } finally {
      this.#client[Symbol.dispose]();
    }
  }
}
