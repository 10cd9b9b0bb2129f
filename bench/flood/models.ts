import { type ModelPlan, nameModel } from "../rows.ts";

/** The model that normal traffic reads. */
export const hotModel: ModelPlan = {
  model: nameModel("hot"),
  versions: 100,
  recordBytes: 400,
  prereleasesPerRelease: 0,
};

/** The large model that slow readers list. */
export const floodedModel: ModelPlan = {
  model: nameModel("flooded"),
  versions: 20_000,
  recordBytes: 400,
  prereleasesPerRelease: 0,
};

/** The model that normal traffic registers versions of. */
export const growingModel = nameModel("growing");
