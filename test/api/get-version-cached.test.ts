// A service that keeps records in memory answers as one that reads each from the database.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type GetVersionRequestSchema, Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { readError } from "../support/rpc-error.ts";
import { createTestDatabase } from "../support/test-database.ts";

type GetRequest = MessageInitShape<typeof GetVersionRequestSchema>;

let stack: AsyncDisposableStack;
let keeping: RegistryClient;
let reading: RegistryClient;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const { url } = stack.use(await createTestDatabase());
  const start = async (recordCacheMib: number) => {
    const settings = { STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: url };
    const config = readConfig({ ...settings, STELE_RECORD_CACHE_MIB: String(recordCacheMib) });
    const service = stack.use(await startService(config, pino({ level: "silent" })));
    return stack.use(new RegistryClient(service.address));
  };
  keeping = await start(1);
  reading = await start(0);
});

afterAll(async () => await stack.disposeAsync());

const version = (value: string): GetRequest => ({ model: "m", selector: { case: "version", value } });

const requests: readonly GetRequest[] = [
  ...["1.0.0", "1.0.0+build", "1.0.0+other", "1.1.0-rc.1", "1.1.0", "9.9.9", "v1.0.0", "1.0", ""].map(version),
  { model: "m", selector: { case: "range", value: "^1" } },
  { ...version("1.0.0"), prereleases: Prereleases.INCLUDE },
  { ...version("1.0.0"), model: "M" },
  { ...version("1.0.0"), model: "other" },
  { model: "m" },
];

it.each([
  ["once it has read them", "reading"],
  ["once it has registered them", "keeping"],
] as const)("%s", async (_, registrar) => {
  const client = { reading, keeping }[registrar];
  const model = `m-${registrar}`;
  for (const number of ["1.0.0+build", "1.1.0-rc.1", "0.1.0"]) await client.registerBare(model, number);
  const ask = async (from: RegistryClient) =>
    await Promise.all(
      requests.map(async (request) => {
        const asked = request.model === "m" ? { ...request, model } : request;
        return await from.get(asked).catch((error) => readError(error));
      }),
    );
  const expected = await ask(reading);
  expect(await ask(keeping)).toEqual(expected);
  expect(await ask(keeping)).toEqual(expected);
  // Of what is not there nothing is kept.
  await reading.registerBare(model, "1.1.0");
  await keeping.registerBare(model, "9.9.9");
  expect(await ask(keeping)).toEqual(await ask(reading));
  expect((await keeping.getExact(model, "1.1.0"))?.version).toBe("1.1.0");
});
