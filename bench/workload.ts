// What is measured on: the models, and how much of everything.

import { type ServiceProcess, startServiceProcess } from "../test/support/service-process.ts";
import type { BenchDatabase } from "./bench-database.ts";
import type { Figure } from "./figure.ts";
import { type ModelPlan, nameModel, nameModels } from "./rows.ts";

/** How much of everything a run has. */
export interface Scale {
  readonly versions: number;
  readonly models: number;
  readonly wideVersions: number;
  readonly readers: number;
  readonly slowSeconds: number;
  readonly wideSeconds: number;
  readonly calls: number;
}

/** What a measurement is made on. */
export interface Bench extends BenchDatabase {
  readonly scale: Scale;
}

/** A measurement: the models that it needs, and what it makes of them. */
export interface Measurement {
  readonly plans: (scale: Scale) => ModelPlan[];
  readonly measure: (bench: Bench) => Promise<Figure[]>;
}

const common = { recordBytes: 400, prereleasesPerRelease: 0 };

/** The model of many versions; a store that was seeded with `--model big` has it. */
export function bigModel({ versions }: Scale): ModelPlan {
  return { ...common, model: nameModel("big"), versions };
}

/** The model of records as large as they may be. */
export function wideModel({ wideVersions }: Scale): ModelPlan {
  return { ...common, model: nameModel("wide"), versions: wideVersions, recordBytes: 1024 * 1024 };
}

/** Many models of so many versions each, whose names begin with the prefix. */
export function manyModels({ models }: Scale, prefix: string, versions: number): ModelPlan[] {
  return nameModels(prefix, models).map((model) => ({ ...common, model, versions }));
}

/** A fresh service on the database, of this process's Node, which logs warnings only. */
export async function startService({ url }: BenchDatabase): Promise<ServiceProcess> {
  return await startServiceProcess({ DATABASE_URL: url, STELE_LOG_LEVEL: "warn" });
}
