// The types of a filter's values, with how large they can be: the limits of a record (metadata.ts) bound what one
// evaluation costs. What a loop goes through shares the bytes of the whole, so that each element is taken to have the
// mean: the work on a text grows with its length.

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { MAX_RECORD_BYTES } from "./record-limits.ts";

/** What an expression of a filter is. `dyn` is a value inside attributes, whose kind only the record tells. */
export type FilterType =
  | { readonly kind: "bool" | "int" | "double" | "null" | "timestamp" }
  | { readonly kind: "dyn"; readonly maxBytes: number }
  | { readonly kind: "string"; readonly maxBytes: number; readonly isVersion?: boolean }
  | { readonly kind: "message"; readonly desc: DescMessage; readonly maxBytes: number }
  | { readonly kind: "list"; readonly of: FilterType; readonly maxCount: number }
  | { readonly kind: "map"; readonly of: FilterType; readonly maxCount: number };

/** The most bytes of a text inside attributes. */
export const MAX_DYNAMIC_BYTES = 64 * 1024;

/** The most elements of a list, and entries of an object, inside attributes that a filter can read. */
export const MAX_DYNAMIC_COUNT = 2048;

/** The longest key of a map in the record, in bytes. */
const MAX_KEY_BYTES = 128;

const DEFAULT_MAX_BYTES = 256;

const maxBytesByName: ReadonlyMap<string, number> = new Map([
  ["description", 16 * 1024],
  ["uri", 2048],
  ["repository", 2048],
  ["run_uri", 2048],
]);

const DEFAULT_MAX_COUNT = 256;

const maxCountByName: ReadonlyMap<string, number> = new Map([
  ["artifacts", 1000],
  ["labels", 64],
]);

/** The type of the field in a message whose texts have at most `maxBytes`. */
export function typeOfField(field: DescField, maxBytes: number): FilterType {
  const maxCount = maxCountByName.get(field.name) ?? DEFAULT_MAX_COUNT;
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar, field.name, maxBytes);
    case "message":
      return typeOfMessage(field.message, maxBytes);
    case "list":
      if (field.listKind !== "message") break;
      return { kind: "list", of: typeOfMessage(field.message, MAX_RECORD_BYTES / maxCount), maxCount };
    case "map":
      if (field.mapKind !== "scalar") break;
      return { kind: "map", of: scalar(field.scalar, field.name, maxBytes), maxCount };
  }
  throw new Error(`filters know no field like ${field.name}`);
}

/** The type of a message whose texts have at most `maxBytes`. */
function typeOfMessage(desc: DescMessage, maxBytes: number): FilterType {
  if (desc.typeName === TimestampSchema.typeName) return { kind: "timestamp" };
  if (desc.typeName === StructSchema.typeName) return { kind: "dyn", maxBytes: MAX_DYNAMIC_BYTES };
  return { kind: "message", desc, maxBytes };
}

function scalar(type: ScalarType, name: string, maxBytes: number): FilterType {
  if (type === ScalarType.INT64) return { kind: "int" };
  if (type === ScalarType.DOUBLE) return { kind: "double" };
  if (type !== ScalarType.STRING) throw new Error(`filters know no field like ${name}`);
  const ownBytes = maxBytesByName.get(name) ?? DEFAULT_MAX_BYTES;
  return { kind: "string", maxBytes: Math.min(ownBytes, maxBytes), isVersion: name === "version" };
}

/** The type of what a loop over the type goes through, or undefined where there is nothing. */
export function typeOfElement(type: FilterType): FilterType | undefined {
  if (type.kind === "list") return type.of;
  if (type.kind === "map") return { kind: "string", maxBytes: MAX_KEY_BYTES };
  if (type.kind === "dyn") return { kind: "dyn", maxBytes: type.maxBytes / MAX_DYNAMIC_COUNT };
  return undefined;
}

const descriptions = {
  bool: "a bool",
  int: "an int",
  double: "a double",
  null: "null",
  timestamp: "a timestamp",
  dyn: "an attribute",
  string: "a string",
  message: "a message",
  list: "a list",
  map: "a map",
} satisfies Record<FilterType["kind"], string>;

/** The type in words, such as `a string`. */
export function describeType({ kind }: FilterType): string {
  return descriptions[kind];
}

/** Whether the values are, or can be, true or false. */
export function isCondition({ kind }: FilterType): boolean {
  return kind === "bool" || kind === "dyn";
}

/** Whether the values are, or can be, texts. */
export function isText({ kind }: FilterType): boolean {
  return kind === "string" || kind === "dyn";
}

/** Whether values of the type are single: no message, list or map. */
export function isScalar({ kind }: FilterType): boolean {
  return kind !== "message" && kind !== "list" && kind !== "map";
}

/** The type of either of two, or undefined where they do not go together. */
export function unite(a: FilterType, b: FilterType): FilterType | undefined {
  if (!isScalar(a) || !isScalar(b)) return undefined;
  if (a.kind === "dyn" || b.kind === "dyn") {
    if (a.kind === "timestamp" || b.kind === "timestamp") return undefined;
    return { kind: "dyn", maxBytes: Math.max(maxBytesOf(a), maxBytesOf(b)) };
  }
  if (isNumber(a) && isNumber(b)) return a.kind === b.kind ? a : { kind: "double" };
  if (a.kind !== b.kind) return undefined;
  return maxBytesOf(a) >= maxBytesOf(b) ? a : b;
}

function isNumber({ kind }: FilterType): boolean {
  return kind === "int" || kind === "double";
}

/** How many bytes a text of the type has at most; 0 where it is none. */
export function maxBytesOf(type: FilterType): number {
  return type.kind === "string" || type.kind === "dyn" ? type.maxBytes : 0;
}

/** How many elements or entries there are at most; 0 where there is none. Inside attributes each takes 4 bytes. */
export function maxCountOf(type: FilterType): number {
  if (type.kind === "dyn") return Math.min(MAX_DYNAMIC_COUNT, type.maxBytes / 4);
  return type.kind === "list" || type.kind === "map" ? type.maxCount : 0;
}
