import { expect, it } from "vitest";
import { healthOf } from "../support/health.ts";
import { OwnPostgres } from "../support/own-postgres.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { RegistryLoad, seedLoad } from "../support/registry-load.ts";
import { startServiceProcess } from "../support/service-process.ts";

const AWAY = "UNAVAILABLE DATABASE_UNAVAILABLE, again after 1000 ms";
const UNKNOWN = "UNKNOWN OUTCOME_UNKNOWN";
const BACK_WITHIN_MS = 10_000;

it("a server that is restarted under load, twice, costs no answer", async () => {
  await using postgres = await OwnPostgres.create();
  await postgres.start();
  await postgres.migrate();
  await using database = postgres.open();
  await seedLoad(database);
  await using service = await startServiceProcess({ DATABASE_URL: postgres.url });
  using client = new RegistryClient(service.address);
  const load = new RegistryLoad(client);
  load.start(2);
  for (let restart = 0; restart < 2; restart += 1) {
    await load.untilProgress(3);
    await postgres.stop();
    // A start may be faster than any call.
    const { length } = load.failures;
    await expect.poll(() => load.failures.length).toBeGreaterThan(length);
    await postgres.start();
  }
  await expect.poll(async () => await healthOf(service.address), { timeout: BACK_WITHIN_MS }).toBe("SERVING");
  await load.untilProgress(3);
  await load.stop();
  expect(load.hasFailure(AWAY)).toBe(true);
  expect(load.failuresBeside([AWAY, UNKNOWN])).toEqual([]);
  expect(await load.findViolations(client)).toEqual([]);
});
