import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { Client, ServiceError } from "@grpc/grpc-js";
import { sql } from "kysely";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  GetVersionRequestSchema,
  ListModelsRequestSchema,
  ListVersionsRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { testRoles } from "../support/postgres-setup.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { type RpcError, readError } from "../support/rpc-error.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const model = "m";

let stack: AsyncDisposableStack;
let test: TestDatabase;
let client: RegistryClient;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  test = stack.use(await createTestDatabase());
  const config = readConfig({ STELE_RECORD_CACHE_MIB: "0", STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: test.url });
  const service = stack.use(await startService(config, pino({ level: "silent" })));
  client = stack.use(new RegistryClient(service.address));
  await client.registerBare(model, "1.0.0");
});

afterAll(async () => await stack.disposeAsync());

type Call = ReturnType<Client["makeUnaryRequest"]> | ReturnType<Client["makeServerStreamRequest"]>;

/** Starts a call and answers it with its outcome. */
type Caller = (deadline: Date | undefined) => { call: Call; outcome: Promise<RpcError | undefined> };

const range = { case: "range", value: "*" } as const;
const version = { case: "version", value: "1.0.0" } as const;

// With how many of its statements are at work at once: all connections, or the one that listings read pages by.
const callers: readonly (readonly [string, number, Caller])[] = [
  ["GetVersion", 16, (deadline) => get({ model, selector: version }, deadline)],
  ["GetVersion by range", 16, (deadline) => get({ model, selector: range }, deadline)],
  [
    "ListVersions",
    1,
    (deadline) => stream(client.raw.listVersions(create(ListVersionsRequestSchema, { model }), optionsOf(deadline))),
  ],
  ["ListModels", 16, (deadline) => stream(client.raw.listModels(create(ListModelsRequestSchema), optionsOf(deadline)))],
];

function optionsOf(deadline: Date | undefined) {
  return deadline === undefined ? {} : { deadline };
}

function get(request: Parameters<RegistryClient["get"]>[0], deadline: Date | undefined) {
  const { promise: outcome, resolve } = Promise.withResolvers<RpcError | undefined>();
  const message = create(GetVersionRequestSchema, request);
  const call = client.raw.getVersion(message, optionsOf(deadline), (error) =>
    resolve(error ? readError(error) : undefined),
  );
  return { call, outcome };
}

function stream(call: ReturnType<Client["makeServerStreamRequest"]>) {
  const { promise: outcome, resolve } = Promise.withResolvers<RpcError | undefined>();
  call.on("error", (error: ServiceError) => resolve(readError(error)));
  call.on("end", () => resolve(undefined));
  call.resume();
  return { call, outcome };
}

/** How many statements of the service are at work in the database. */
async function countAtWork(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and usename = ${testRoles.service} and state = 'active'`.execute(test.database);
  return rows[0]?.count ?? -1;
}

async function untilAtWork(count: number): Promise<void> {
  while ((await countAtWork()) !== count) await sleep(5);
}

/** While the work goes on every read of the table waits in the database. */
async function whileReadsWait(work: () => Promise<void>): Promise<void> {
  await test.database.transaction().execute(async (transaction) => {
    await sql`lock table model_version in access exclusive mode`.execute(transaction);
    await work();
  });
}

describe.each(callers)("%s", (_, atWork, start) => {
  it("stops in the database when its caller cancels", async () => {
    await whileReadsWait(async () => {
      const { call, outcome } = start(undefined);
      await untilAtWork(1);
      call.cancel();
      expect(await outcome).toMatchObject({ code: "CANCELLED" });
      await untilAtWork(0);
    });
  });

  it("stops in the database at its deadline, and says so", async () => {
    await whileReadsWait(async () => {
      const { outcome } = start(new Date(Date.now() + 300));
      await untilAtWork(1);
      expect(await outcome).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      await untilAtWork(0);
    });
  });

  it("leaves no connection behind, however many callers leave", async () => {
    await whileReadsWait(async () => {
      // More than there are connections, so that some wait for one.
      const started = Array.from({ length: 40 }, () => start(undefined));
      await untilAtWork(atWork);
      for (const { call } of started) call.cancel();
      await Promise.all(started.map(({ outcome }) => outcome));
      await untilAtWork(0);
    });
    expect((await client.getExact(model, "1.0.0"))?.version).toBe("1.0.0");
  });
});
