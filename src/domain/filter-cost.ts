// What one evaluation of a filter takes at most, in microseconds: about twice what was measured with the library on one
// core of a small server, for the largest record. A usual record takes a few microseconds.

import { type FilterType, isText, MAX_DYNAMIC_BYTES, maxBytesOf, maxCountOf } from "./filter-type.ts";

/** The most that a filter may take for one record. The record's decoding, up to 10 ms, comes on top. */
export const MAX_COST_US = 25_000;

/** What single steps take. */
export const cost = {
  literal: 0.05,
  timestamp: 3.5,
  field: 1,
  /** A missing entry makes an error, which takes longer than finding one. */
  entry: 1.7,
  iteration: 0.5,
  logic: 0.6,
  operation: 0.5,
  /** An operation that finds another kind of value than it takes, or overflows, makes an error with a long text. */
  failure: 4,
};

/** The sum of what the operands take, and the operation itself. */
export function sumCost(operands: readonly { readonly costUs: number }[], ownUs: number): number {
  return operands.reduce((sum, { costUs }) => sum + costUs, ownUs);
}

/** The library wraps a message at each access. */
export function nameCost({ kind }: FilterType): number {
  return kind === "message" || kind === "timestamp" ? 2 : 0.3;
}

/** An operation can fail where it does not know the kind of a value. */
export function operationCost(
  operands: readonly { readonly type: FilterType }[],
  ownUs: number = cost.operation,
): number {
  return ownUs + (operands.some(({ type }) => type.kind === "dyn") ? cost.failure : 0);
}

/** Comparing texts reads the shorter of them. */
export function compareCost(a: FilterType, b: FilterType): number {
  return isText(a) && isText(b) ? Math.min(maxBytesOf(a), maxBytesOf(b)) * 0.001 : 0;
}

/** A search reads the text once, or in the worst text again and again for a part of what is looked for. */
export function searchCost(text: FilterType, part: FilterType): number {
  const partBytes = part.kind === "dyn" ? MAX_DYNAMIC_BYTES : maxBytesOf(part);
  return maxBytesOf(text) * (0.012 + partBytes * 0.0003);
}

/** The size of a text counts its characters, that of a map its keys. */
export function sizeCost(type: FilterType): number {
  return type.kind === "map" ? type.maxCount * 0.02 : maxBytesOf(type) * 0.035;
}

/** Looking through a list compares with each element. */
export function membershipCost(container: FilterType, value: FilterType): number {
  if (container.kind === "map") return 0;
  const element = container.kind === "list" ? container.of : container;
  return maxCountOf(container) * (0.2 + compareCost(element, value));
}
