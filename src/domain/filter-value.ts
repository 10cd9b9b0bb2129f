// Attributes as the values of a filter. The library's own conversion is made anew at each access, fails at an object
// with the key `constructor`, and takes an entry with null for none.

import { type CelValue, celError, celList, celMap } from "@bufbuild/cel";
import type { JsonValue } from "@bufbuild/protobuf";
import { MAX_DYNAMIC_COUNT } from "./filter-type.ts";

// The library takes an error for any value, though its types do not say so.
const tooLong = celError(`more than ${MAX_DYNAMIC_COUNT} elements`) as unknown as CelValue;

/** The value as the library reads it. A list or object that is too long to go through is an evaluation error. */
export function toFilterValue(value: JsonValue): CelValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.length > MAX_DYNAMIC_COUNT ? tooLong : toList(value.map(toFilterValue));
  const entries = Object.entries(value);
  if (entries.length > MAX_DYNAMIC_COUNT) return tooLong;
  return toMap(new Map(entries.map(([key, entry]) => [key, toFilterValue(entry)])));
}

// The library's list would throw at an error among its elements.
function toList(elements: readonly CelValue[]): CelValue {
  const list = celList(elements);
  if (!elements.includes(tooLong)) return list;
  return Object.assign(list, {
    get: (index: number) => elements[index],
    [Symbol.iterator]: () => elements.values(),
  });
}

function toMap(entries: ReadonlyMap<string, CelValue>): CelValue {
  return Object.assign(celMap(entries), {
    get: (key: string) => entries.get(key),
    has: (key: string) => entries.has(key),
  });
}
