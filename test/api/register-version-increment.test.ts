import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Level } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { createTestDatabase } from "../support/test-database.ts";
import { uniqueModel } from "../support/test-service.ts";

let stack: AsyncDisposableStack;
/** One client for each of two replicas on one database. */
let replicas: RegistryClient[];

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const { url } = stack.use(await createTestDatabase());
  const config = readConfig({ STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: url });
  replicas = [];
  for (let replica = 0; replica < 2; replica += 1) {
    const service = stack.use(await startService(config, pino({ level: "silent" })));
    replicas.push(stack.use(new RegistryClient(service.address)));
  }
});

afterAll(async () => await stack.disposeAsync());

function replica(index: number): RegistryClient {
  const client = replicas[index % replicas.length];
  if (client === undefined) throw new Error("there are no replicas");
  return client;
}

function increment(model: string, level: Level, extra: { prerelease?: string; within?: string } = {}) {
  return { model, number: { case: "increment", value: { level, ...extra } } } as const;
}

describe("RegisterVersion with an increment", () => {
  it("gives 64 writers at two replicas dense numbers, each its own", async () => {
    const model = uniqueModel();
    await replica(0).registerBare(model, "1.0.0");
    const each = 10;
    const write = async (writer: number) => {
      const versions: string[] = [];
      for (let turn = 0; turn < each; turn += 1) {
        const registered = await replica(writer).register(increment(model, Level.PATCH));
        versions.push(registered?.version ?? "");
      }
      return versions;
    };
    const assigned = (await Promise.all(Array.from({ length: 64 }, (_, writer) => write(writer)))).flat();
    const expected = Array.from({ length: 64 * each }, (_, index) => `1.0.${index + 1}`);
    expect(new Set(assigned)).toEqual(new Set(expected));
    expect(await replica(0).listAll({ model })).toEqual([...expected.toReversed(), "1.0.0"]);
  });

  it("numbers a train of prereleases densely, and releases and trains of one model at once", async () => {
    const model = uniqueModel();
    await replica(0).registerBare(model, "1.0.0");
    const calls = Array.from({ length: 60 }, (_, index) =>
      replica(index).register(increment(model, Level.MINOR, { prerelease: index % 2 === 0 ? "rc" : "beta" })),
    );
    const versions = (await Promise.all(calls)).map((registered) => registered?.version);
    const train = (label: string) => Array.from({ length: 30 }, (_, index) => `1.1.0-${label}.${index + 1}`);
    expect(new Set(versions)).toEqual(new Set([...train("rc"), ...train("beta")]));
  });

  it("never takes a second number for a request_id, also when attempts arrive at both replicas at once", async () => {
    const model = uniqueModel();
    const requestId = randomUUID();
    const request = { ...increment(model, Level.MINOR), requestId };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => replica(index).register(request)));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await replica(1).listAll({ model })).toEqual(["0.1.0"]);
  });

  it("gives attempts at both replicas at once one answer, although it leaves the range nothing to raise", async () => {
    for (let round = 0; round < 20; round += 1) {
      const model = uniqueModel();
      await replica(0).registerBare(model, "1.2.0");
      const request = { ...increment(model, Level.MINOR, { within: "<=1.3.0" }), requestId: randomUUID() };
      const answers = await Promise.all([0, 1, 0, 1].map((index) => replica(index).register(request)));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(await replica(0).listAll({ model })).toEqual(["1.3.0", "1.2.0"]);
    }
  });

  it("answers a repetition although its own first answer has left the range nothing to raise", async () => {
    const model = uniqueModel();
    await replica(0).registerBare(model, "1.2.0");
    const request = { ...increment(model, Level.MINOR, { within: "<=1.3.0" }), requestId: randomUUID() };
    const first = await replica(0).register(request);
    expect(first?.version).toBe("1.3.0");
    expect(await replica(1).register(request)).toEqual(first);
    expect(await errorOf(replica(1).register({ ...request, requestId: "" }))).toMatchObject({
      reason: "INVALID_REQUEST",
    });
  });

  it.each([
    ["another level", increment("", Level.PATCH)],
    ["a prerelease", increment("", Level.MINOR, { prerelease: "rc" })],
    ["a range that does not hold the number", increment("", Level.MINOR, { within: "^3" })],
    ["an explicit version", { number: { case: "version", value: "7.0.0" } } as const],
  ])("refuses a request_id that was used for an increment with %s", async (_, { number }) => {
    const model = uniqueModel();
    await replica(0).registerBare(model, "1.0.0");
    await replica(0).registerBare(model, "3.0.0");
    const requestId = randomUUID();
    const first = { ...increment(model, Level.MINOR, { within: "^1" }), requestId };
    await replica(0).register(first);
    expect(await errorOf(replica(1).register({ model, number, requestId }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "REQUEST_ID_REUSED",
      metadata: { existing_version: "1.1.0" },
    });
  });

  it("says which field of the increment is wrong", async () => {
    const number = { case: "increment", value: { within: "1 ||", prerelease: "_" } } as const;
    const { violations } = await errorOf(replica(0).register({ model: uniqueModel(), number }));
    expect(violations.map((violation) => violation.slice(0, violation.indexOf(": ")))).toEqual([
      "increment.level",
      "increment.within",
      "increment.prerelease",
    ]);
  });
});
