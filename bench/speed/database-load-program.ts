// The program that does on the database what the service does, without gRPC: inserts, look-ups by the whole key, and
// pages of a listing.

import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { everyKey } from "../../src/domain/version-range.ts";
import { NEXT_READS } from "../../src/registry/version-scan.ts";
import { openDatabase } from "../../src/store/database.ts";
import { listPage } from "../../src/store/version-pages.ts";
import { answerCommands, readOrder } from "../child-program.ts";
import { type ModelPlan, nameModel, versionAt } from "../rows.ts";
import { STRIDE, typicalRecord } from "./bodies.ts";
import type { Slice } from "./contest.ts";
import { insertVersion, openPool } from "./direct-insert.ts";

/** What the program is told when it starts. */
export interface DatabaseLoadOrder {
  readonly databaseUrl: string;
  readonly work:
    | { readonly kind: "insert"; readonly models: readonly string[]; readonly major: number }
    | { readonly kind: "select"; readonly plan: ModelPlan }
    | { readonly kind: "pages"; readonly model: string };
  /** How long a slice is. */
  readonly seconds: number;
}

/** The commands of the program. */
export interface DatabaseLoadAnswers extends Record<string, unknown> {
  readonly run: Slice;
}

const IN_FLIGHT = 64;

const { databaseUrl, work, seconds } = readOrder<DatabaseLoadOrder>();

/** A step of the work, which answers how many units it was. */
function prepare(work: DatabaseLoadOrder["work"]): { callers: number; step: () => Promise<number> } {
  switch (work.kind) {
    case "insert":
      return { callers: IN_FLIGHT, step: prepareInserts(work.models, work.major) };
    case "select":
      return { callers: IN_FLIGHT, step: prepareSelects(work.plan) };
    case "pages":
      return { callers: 1, step: preparePages(work.model) };
  }
}

function prepareInserts(models: readonly string[], major: number): () => Promise<number> {
  const pool = openPool(databaseUrl);
  const record = Buffer.from(typicalRecord());
  let patch = 0;
  return async () => {
    patch += 1;
    await insertVersion(pool, models[patch % models.length] ?? "", `${major}.0.${patch}`, record);
    return 1;
  };
}

function prepareSelects(plan: ModelPlan): () => Promise<number> {
  const pool = openPool(databaseUrl);
  const text = "select record from model_version where model = $1 and precedence = $2";
  let index = 0;
  return async () => {
    index = (index + STRIDE) % plan.versions;
    const precedence = encodePrecedence(parseKnownVersion(versionAt(plan, index)));
    const { rowCount } = await pool.query({ name: "select", text, values: [plan.model, precedence] });
    return rowCount ?? 0;
  };
}

/** Page after page from the highest version down, and again. */
function preparePages(model: string): () => Promise<number> {
  const database = openDatabase({ connection: databaseUrl, onConnectionError: () => undefined });
  // The service's reads can be cancelled; so can these, to be the same.
  const { signal } = new AbortController();
  const query = { model: nameModel(model), direction: "descending", columns: "record", ...NEXT_READS } as const;
  let { to } = everyKey;
  return async () => {
    const page = await listPage(database, { ...query, interval: { ...everyKey, to, prereleases: true } }, signal);
    to = page.isLast ? everyKey.to : (page.rows.at(-1)?.precedence ?? everyKey.to);
    return page.rows.length;
  };
}

const { callers, step } = prepare(work);

async function run(): Promise<Slice> {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  let units = 0;
  const keepWorking = async () => {
    while (performance.now() < endsAt) {
      const done = await step();
      units += done;
    }
  };
  await Promise.all(Array.from({ length: callers }, keepWorking));
  return { units, seconds: (performance.now() - startedAt) / 1000 };
}

answerCommands<DatabaseLoadAnswers>({ run });
