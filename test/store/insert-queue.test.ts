import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RequestId } from "../../src/domain/request-id.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { InsertQueue } from "../../src/store/insert-queue.ts";
import type { ModelVersionTable } from "../../src/store/schema.ts";
import { rowOf } from "../support/row.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});

afterAll(async () => await test[Symbol.asyncDispose]());

/** Rows of a model that no other test has. */
function rowsOf(versions: readonly string[], model = `m/${randomUUID()}`): ModelVersionTable[] {
  return versions.map((version) => rowOf(model, version));
}

const numbers = (count: number) => Array.from({ length: count }, (_, patch) => `1.0.${patch}`);

interface StoredRow {
  readonly attempt: string;
  readonly transaction: string;
}

/** The rows of these models, and which transaction wrote them. */
async function storedOf(rows: readonly ModelVersionTable[]): Promise<StoredRow[]> {
  const models = [...new Set(rows.map(({ model }) => model))];
  const found = await sql<StoredRow>`
    select attempt::text, xmin::text as transaction from model_version where model = any(${models})`.execute(
    test.database,
  );
  return found.rows;
}

/** Inserts them all at once; answers the attempts that were told that they are stored. */
async function insertAll(queues: readonly InsertQueue[], rows: readonly ModelVersionTable[]): Promise<string[]> {
  const told = await Promise.all(
    rows.map(async (row, index) => ((await queues[index % queues.length]?.insert(row)) ? [row.attempt] : [])),
  );
  return told.flat();
}

describe("an insert queue", () => {
  it("writes a row that finds nobody before it at once, and those that wait together by one commit", async () => {
    const rows = rowsOf(numbers(66));
    expect(await insertAll([new InsertQueue(test.database)], rows)).toEqual(rows.map(({ attempt }) => attempt));
    const stored = await storedOf(rows);
    const byTransaction = [...Map.groupBy(stored, ({ transaction }) => transaction).values()];
    expect(byTransaction.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([1, 1, 32, 32]);
  });

  it("has one winner for each number and for each request id, who are the ones that are stored, whoever races", async () => {
    await using second = openDatabase({ connection: test.connection, onConnectionError: () => undefined });
    const databases: Database[] = [test.database, second];
    const arbitraryRows = fc.array(fc.record({ number: fc.nat(12), request: fc.option(fc.nat(6)) }), {
      minLength: 1,
      maxLength: 90,
    });
    const property = fc.asyncProperty(arbitraryRows, async (plans) => {
      const model = `m/${randomUUID()}`;
      const ids = Array.from({ length: 7 }, () => randomUUID() as RequestId); // Any UUID is one.
      const rows = plans.map(({ number, request }) => ({
        ...rowOf(model, `1.${number}.0`),
        request_id: request === null ? null : (ids[request] ?? null),
      }));
      const told = await insertAll(
        databases.map((database) => new InsertQueue(database)),
        rows,
      );
      const stored = (await storedOf(rows)).map(({ attempt }) => attempt);
      expect(told.toSorted()).toEqual(stored.toSorted());
      // Each refusal has its reason among what is stored.
      const winners = rows.filter(({ attempt }) => stored.includes(attempt));
      for (const row of rows) {
        const isInTheWay = (other: ModelVersionTable) =>
          other.version === row.version || (row.request_id !== null && other.request_id === row.request_id);
        expect(winners.filter(isInTheWay).length).toBeGreaterThan(0);
      }
      expect(new Set(winners.map(({ version }) => version)).size).toBe(winners.length);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it("fails the row that is wrong, and no other of its statement", async () => {
    const rows = rowsOf(numbers(40));
    const wrong = rows[20];
    if (wrong !== undefined) wrong.digest = Buffer.alloc(31);
    const queue = new InsertQueue(test.database);
    const outcomes = await Promise.allSettled(rows.map((row) => queue.insert(row)));
    const failed = outcomes.flatMap((outcome, index) =>
      outcome.status === "rejected" ? [[index, outcome.reason]] : [],
    );
    expect(failed).toEqual([[20, expect.objectContaining({ code: "23514" })]]);
    expect(await storedOf(rows)).toHaveLength(39);
  });

  it("leaves out callers who go while they wait, and no caller whose row was sent", async () => {
    const rows = rowsOf(numbers(10));
    const queue = new InsertQueue(test.database);
    const callers = rows.map(() => new AbortController());
    const outcomes = Promise.allSettled(rows.map((row, index) => queue.insert(row, callers[index]?.signal)));
    const left = new Error("the caller left");
    for (const index of [0, 4, 9]) callers[index]?.abort(left);
    const told = (await outcomes).map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason));
    // The first is sent at once.
    expect(told).toEqual(rows.map((_, index) => (index === 4 || index === 9 ? left : true)));
    expect(await storedOf(rows)).toHaveLength(8);
  });

  it("tells everybody when the database does not answer", async () => {
    const nowhere = { host: "127.0.0.1", port: 1, user: "nobody", database: "none" };
    await using database = openDatabase({ connection: nowhere, onConnectionError: () => undefined });
    const queue = new InsertQueue(database);
    const outcomes = await Promise.allSettled(rowsOf(numbers(40)).map((row) => queue.insert(row)));
    const reasons = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.reason : "stored"));
    expect(new Set(reasons)).toEqual(new Set(["DATABASE_UNAVAILABLE"]));
  });

  it("puts no more records into a statement than a large one has room for", async () => {
    const rows = rowsOf(numbers(8));
    for (const row of rows) row.record = Buffer.alloc(400 * 1024);
    await insertAll([new InsertQueue(test.database)], rows);
    const byTransaction = [...Map.groupBy(await storedOf(rows), ({ transaction }) => transaction).values()];
    expect(byTransaction.map(({ length }) => length).toSorted()).toEqual([1, 1, 2, 2, 2]);
  });

  it("gives no room of a statement to callers who have left", async () => {
    const rows = rowsOf(numbers(20));
    const caller = new AbortController();
    const large = rowsOf(numbers(20));
    for (const row of large) row.record = Buffer.alloc(700 * 1024);
    const queue = new InsertQueue(test.database);
    const outcomes = Promise.allSettled(
      rows.flatMap((row, index) => [queue.insert(row), queue.insert(large[index] ?? row, caller.signal)]),
    );
    caller.abort(new Error("the caller left"));
    await outcomes;
    const byTransaction = Map.groupBy(await storedOf(rows), ({ transaction }) => transaction);
    expect(byTransaction.size).toBeLessThanOrEqual(3);
  });

  describe("while another session holds a version", () => {
    let held: ModelVersionTable;
    let holder: Database;
    let release: PromiseWithResolvers<void>;
    let holding: Promise<unknown>;

    beforeEach(async () => {
      held = rowOf(`m/${randomUUID()}`, "1.0.0");
      holder = openDatabase({ connection: test.connection, onConnectionError: () => undefined });
      release = Promise.withResolvers();
      const isHeld = Promise.withResolvers<void>();
      const hold = holder.transaction().execute(async (transaction) => {
        await transaction
          .insertInto("model_version")
          .values({ ...held, attempt: randomUUID() })
          .execute();
        isHeld.resolve();
        await release.promise;
        throw new Error("rolled back");
      });
      holding = hold.catch(() => undefined);
      await isHeld.promise;
    });

    afterEach(async () => {
      release.resolve();
      await holding;
      await holder.destroy();
    });

    it("stores the other rows of its statement, and that one once it is free", async () => {
      const others = rowsOf(numbers(40));
      const queue = new InsertQueue(test.database);
      // Two go alone; the others wait for them, and go together.
      const before = others.splice(0, 2).map((row) => queue.insert(row));
      const stuck = queue.insert(held);
      const rest = others.map((row) => queue.insert(row));
      expect(await Promise.all([...before, ...rest])).toEqual([...before, ...rest].map(() => true));
      release.resolve();
      expect(await stuck).toBe(true);
    }, 20_000);

    it("goes on with others after a second, however many statements wait", async () => {
      const queue = new InsertQueue(test.database);
      const stuck = [queue.insert(held), queue.insert({ ...held, attempt: randomUUID() })];
      const [row = held] = rowsOf(["1.0.0"]);
      let areStuck = true;
      void Promise.race(stuck).then(() => {
        areStuck = false;
      });
      expect(await queue.insert(row)).toBe(true);
      expect(areStuck).toBe(true);
      release.resolve();
      expect((await Promise.all(stuck)).toSorted()).toEqual([false, true]);
    });
  });
});
