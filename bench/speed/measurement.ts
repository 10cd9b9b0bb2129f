import type { ModelPlan } from "../rows.ts";
import type { Arena } from "./arena.ts";
import type { Contestant } from "./contest.ts";

/** A comparison: who competes, at what, and what is asked of it. */
export interface Measurement {
  readonly name: string;
  readonly title: string;
  readonly unit: "calls" | "versions";
  /** The contestant that the others are compared with. */
  readonly base: string;
  /** Besides those that every measurement finds. */
  readonly plans?: readonly ModelPlan[];
  readonly targets: readonly Target[];
  readonly contestants: (arena: Arena) => Contestant[];
}

/** What a contestant should reach: a part of the base's rate, or a time that its slowest call stays below. */
export type Target =
  | { readonly kind: "ratio"; readonly contestant: string; readonly min: number }
  | { readonly kind: "time"; readonly contestant: string; readonly maxMs: number };

/** The rounds of a measurement that has no target: it only informs. */
export function roundsWithoutTarget(rounds: number): number {
  return Math.ceil(rounds / 2);
}
