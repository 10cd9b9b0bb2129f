import type { Random } from "../hammer/random.ts";

/** One of the items, of which there is at least one. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  const index = random.below(items.length);
  if (index >= items.length) throw new Error("there is nothing to pick from");
  return items[index] as Item; // The index is within the bounds; an item may be undefined itself.
}

/** From the least to the most, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + random.below(most - least + 1);
}

/** So many bytes of any value. */
export function anyBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** What the maker makes, so many times. */
export function repeat<Item>(times: number, make: () => Item): Item[] {
  return Array.from({ length: times }, make);
}
