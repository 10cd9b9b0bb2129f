// The models that are measured on.

import type { ModelName } from "../../src/domain/model-name.ts";
import { type ModelPlan, nameModel, nameModels } from "../rows.ts";

/** How much of everything a run has. */
export interface Scale {
  readonly rounds: number;
  /** How long a slice is. */
  readonly seconds: number;
  /** Of the large model; the others of the growth have a tenth, a hundredth and a thousandth. */
  readonly versions: number;
}

const common = { recordBytes: 400, prereleasesPerRelease: 0 };

/** The model of many versions; a store that was seeded with `--model big` has it. */
export function bigModel({ versions }: Pick<Scale, "versions">): ModelPlan {
  return { ...common, model: nameModel("big"), versions };
}

/** Many models of some versions each. */
const manyModels: readonly ModelPlan[] = nameModels("many", 1_000).map((model) => ({
  ...common,
  model,
  versions: 20,
}));

/** Models of one size. Of the small ones there are several, so that registrations do not make them much larger. */
export interface ModelSize {
  readonly name: string;
  readonly models: readonly ModelName[];
  /** Of the first of them. */
  readonly plan: ModelPlan;
}

const MIN_ROWS = 20_000;

/** Models of sizes that differ tenfold, the smallest first. */
export function modelSizes(scale: Pick<Scale, "versions">): ModelSize[] {
  return [1_000, 100, 10, 1].map((divisor) => {
    const versions = Math.ceil(scale.versions / divisor);
    if (divisor === 1) return sizeOf(bigModel(scale), [bigModel(scale).model]);
    const models = nameModels(`size-${versions}`, Math.ceil(MIN_ROWS / versions));
    return sizeOf({ ...common, model: models[0] ?? nameModel("size"), versions }, models);
  });
}

function sizeOf(plan: ModelPlan, models: readonly ModelName[]): ModelSize {
  return { name: `${plan.versions} versions`, models, plan };
}

/** What every measurement finds. */
export function commonPlans(scale: Pick<Scale, "versions">): ModelPlan[] {
  return [bigModel(scale), ...manyModels];
}

/** The models of a size. */
export function plansOf({ plan, models }: ModelSize): ModelPlan[] {
  return models.map((model) => ({ ...plan, model }));
}
