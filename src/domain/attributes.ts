// The rules of google.protobuf.Struct in a record. They keep a record decodable everywhere: protobuf libraries stop
// at 100 nested messages, of which each level takes two, and a list response has its own around them.

import { create, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { attributePath, elementPath } from "./field-path.ts";
import type { Violations } from "./violations.ts";

const MAX_ATTRIBUTES_BYTES = 64 * 1024;
const MAX_ATTRIBUTES_LEVELS = 16;

/** The tag of the field and its length take so many bytes around 64 KiB, where it matters. */
const FIELD_BYTES = 4;

/**
 * Adds what is wrong with attributes: their size as a serialized google.protobuf.Struct, their levels (the attributes
 * themselves are the first, each object or list inside is one more), numbers that are not finite.
 */
export function validateAttributes(attributes: JsonObject, field: string, violations: Violations): void {
  const sizeBytes = toBinary(ModelMetadataSchema, create(ModelMetadataSchema, { attributes })).length - FIELD_BYTES;
  if (sizeBytes > MAX_ATTRIBUTES_BYTES) {
    violations.addInvalid(field, `has ${sizeBytes} bytes; attributes have at most ${MAX_ATTRIBUTES_BYTES}`);
    return;
  }
  validateValue(attributes, { field, level: 1 }, violations);
}

function validateValue(value: JsonValue, place: { field: string; level: number }, violations: Violations): void {
  const { field, level } = place;
  if (typeof value === "number" && !Number.isFinite(value)) {
    violations.addInvalid(field, `is ${value}; numbers are finite`);
  }
  if (typeof value !== "object" || value === null) return;
  if (level > MAX_ATTRIBUTES_LEVELS) {
    violations.addInvalid(field, `is nested too deeply; attributes have at most ${MAX_ATTRIBUTES_LEVELS} levels`);
    return;
  }
  for (const [member, inside] of members(value, field)) {
    validateValue(inside, { field: member, level: level + 1 }, violations);
  }
}

function members(container: JsonObject | JsonValue[], field: string): [string, JsonValue][] {
  if (Array.isArray(container)) return container.map((element, index) => [elementPath(field, index), element]);
  return Object.entries(container).map(([key, value]) => [attributePath(field, key), value]);
}
