import type { Database } from "../src/store/database.ts";
import type { ModelVersionTable } from "../src/store/schema.ts";
import { insertRows } from "../test/support/insert-rows.ts";
import { Progress } from "./progress.ts";
import { type ModelPlan, makeRows } from "./rows.ts";

const MAX_BATCH_ROWS = 2_000;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** One batch is made while the database takes another. */
const WRITERS = 2;

/** Writes the models' versions, of which none may exist, and reports how far it is. */
export async function seedModels(database: Database, plans: readonly ModelPlan[]): Promise<void> {
  const progress = new Progress(
    "versions written",
    plans.reduce((sum, { versions }) => sum + versions, 0),
  );
  const batches = makeBatches(plans);
  const write = async () => {
    for (const batch of batches) {
      await insertRows(database, batch);
      progress.add(batch.length);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

function* makeBatches(plans: readonly ModelPlan[]): Generator<ModelVersionTable[], void, undefined> {
  let batch: ModelVersionTable[] = [];
  let sizeBytes = 0;
  for (const plan of plans) {
    for (const row of makeRows(plan)) {
      batch.push(row);
      sizeBytes += row.record.length;
      if (batch.length < MAX_BATCH_ROWS && sizeBytes < MAX_BATCH_BYTES) continue;
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}
