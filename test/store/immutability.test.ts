import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { insertVersion } from "../../src/store/model-version-store.ts";
import { rowOf } from "../support/row.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

// The test's user owns the table and is a superuser, so that what is refused here is refused to everybody.
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
  await insertVersion(test.database, rowOf("image_classifier", "1.0.1"));
});

afterAll(async () => await test[Symbol.asyncDispose]());

const changes = {
  UPDATE: "update model_version set version = '9.9.9'",
  DELETE: "delete from model_version",
  TRUNCATE: "truncate model_version",
  "TRUNCATE CASCADE": "truncate model_version cascade",
  "ON CONFLICT DO UPDATE":
    "insert into model_version select * from model_version on conflict (model, precedence) do update set version = '9.9.9'",
  MERGE: "merge into model_version t using (select 1) s on true when matched then update set version = '9.9.9'",
};

describe("model_version", () => {
  for (const [name, change] of Object.entries(changes)) {
    it(`refuses ${name} to its owner`, async () => {
      await expect(sql.raw(change).execute(test.database)).rejects.toMatchObject(refusal);
      expect(await versions()).toEqual(["1.0.1"]);
    });

    it(`refuses ${name} under session_replication_role = replica`, async () => {
      const attempt = test.database.transaction().execute(async (transaction) => {
        await sql`set local session_replication_role = replica`.execute(transaction);
        await sql.raw(change).execute(transaction);
      });
      await expect(attempt).rejects.toMatchObject(refusal);
      expect(await versions()).toEqual(["1.0.1"]);
    });
  }

  it("refuses a second row for a version of other build metadata", async () => {
    expect(await insertVersion(test.database, rowOf("image_classifier", "1.0.1+again"))).toBe(false);
    expect(await versions()).toEqual(["1.0.1"]);
  });
});

const refusal = {
  code: "23001",
  message: expect.stringMatching(
    /^(UPDATE|DELETE|TRUNCATE) on model_version is refused: a registered version never changes$/,
  ),
};

async function versions(): Promise<string[]> {
  const rows = await test.database.selectFrom("model_version").select("version").execute();
  return rows.map(({ version }) => version);
}
