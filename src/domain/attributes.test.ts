import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { violationsOf } from "../../test/support/violations-of.ts";
import { validateAttributes } from "./attributes.ts";

const field = "metadata.attributes";

function validate(attributes: JsonObject) {
  return violationsOf((violations) => validateAttributes(attributes, field, violations));
}

function invalid(path: string, description: string) {
  return { field: path, description, reason: "INVALID_FIELD" };
}

function nested(levels: number, wrap: (inside: JsonValue) => JsonValue): JsonObject {
  let inside: JsonValue = 1;
  for (let level = 1; level < levels; level++) inside = wrap(inside);
  return { a: inside };
}

test("accepts values of every kind, and nothing at all", () => {
  expect(validate({})).toEqual([]);
  expect(validate({ a: null, b: true, c: -0, d: "x", e: [], f: {}, g: [1, [2], { h: 3 }] })).toEqual([]);
});

test("accepts 16 levels of objects or lists, and refuses 17", () => {
  expect(validate(nested(16, (inside) => ({ a: inside })))).toEqual([]);
  expect(validate(nested(16, (inside) => [inside]))).toEqual([]);
  const description = "is nested too deeply; attributes have at most 16 levels";
  expect(validate(nested(17, (inside) => ({ a: inside })))).toEqual([
    invalid(`${field}${".a".repeat(16)}`, description),
  ]);
  expect(validate(nested(17, (inside) => [inside]))).toEqual([invalid(`${field}.a${"[0]".repeat(15)}`, description)]);
});

test("counts an empty object as a level", () => {
  const empty = nested(15, (inside) => ({ a: inside === 1 ? {} : inside }));
  expect(validate(empty)).toEqual([]);
  expect(validate({ a: empty })).toHaveLength(1);
});

test.each([
  [Number.NaN, "is NaN; numbers are finite"],
  [Number.POSITIVE_INFINITY, "is Infinity; numbers are finite"],
  [Number.NEGATIVE_INFINITY, "is -Infinity; numbers are finite"],
])("refuses %d", (number, description) => {
  expect(validate({ a: { b: [0, 1, 2, number] }, "c d": number })).toEqual([
    invalid("metadata.attributes.a.b[3]", description),
    invalid('metadata.attributes["c d"]', description),
  ]);
});

// The text of 65,522 bytes has a length of three bytes, and so have the value and the entry around it:
// 1 + 3 + (1 + 1 + 1) + 1 + 3 + 1 + 3 is 15 bytes around it.
test("accepts 65,536 bytes as a serialized Struct, and refuses one more", () => {
  expect(validate({ a: "x".repeat(65_536 - 15) })).toEqual([]);
  expect(validate({ a: "x".repeat(65_536 - 14) })).toEqual([
    invalid(field, "has 65537 bytes; attributes have at most 65536"),
  ]);
});

test("measures text in bytes of UTF-8", () => {
  expect(validate({ a: "é".repeat(33_000) })).toEqual([
    invalid(field, `has ${66_000 + 15} bytes; attributes have at most 65536`),
  ]);
});
