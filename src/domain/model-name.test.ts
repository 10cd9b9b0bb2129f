import { expect, test } from "vitest";
import { violationsOf } from "../../test/support/violations-of.ts";
import { parseModelName } from "./model-name.ts";
import { Violations } from "./violations.ts";

const grammar =
  'is not a model\'s name; use lower-case letters and digits, joined by ".", "_", "__" or dashes, in components ' +
  'separated by "/", such as vision/resnet-50';

test.each([
  "a",
  "0",
  "image_classifier",
  "vision/resnet-50",
  "a__b",
  "a---b",
  "a.b_c__d-e",
  "a/b/c/d",
  "a".repeat(255),
  `${"a/".repeat(127)}a`,
])("accepts %j", (text) => {
  expect(parseModelName(text, "model", new Violations())).toBe(text);
});

test.each([
  "a//b",
  "../x",
  "a/../b",
  "/a",
  "a/",
  "a.",
  "-a",
  "a-",
  "a..b",
  "a___b",
  "a._b",
  "a b",
  "a\n",
  " a",
  "é",
  "a\u0000",
  "a:1",
  "a@b",
])("rejects %j by the grammar", (text) => {
  expect(violationsOf((violations) => parseModelName(text, "model", violations))).toEqual([
    { field: "model", description: `${JSON.stringify(text)} ${grammar}`, reason: "INVALID_FIELD" },
  ]);
});

test.each([
  ["", "is required; give the model's name, such as vision/resnet-50"],
  ["Resnet", '"Resnet" has upper-case letters; a model\'s name is in lower case'],
  ["a".repeat(256), "has 256 bytes; a model's name has at most 255"],
  ["é".repeat(128), "has 256 bytes; a model's name has at most 255"],
])("tells what is wrong with %j", (text, description) => {
  const field = "metadata.dependencies[2].model";
  expect(violationsOf((violations) => parseModelName(text, field, violations))).toEqual([
    { field, description, reason: "INVALID_FIELD" },
  ]);
});

test("answers undefined for a name that breaks the grammar", () => {
  expect(parseModelName("A", "model", new Violations())).toBeUndefined();
});

test.each([
  [`${"a-".repeat(127)}!`],
  [`${"a".repeat(254)}!`],
  ["-".repeat(255)],
  [`a${"-".repeat(253)}!`],
  [`${"a/".repeat(127)}!`],
])("decides about the worst name %# in linear time", (text) => {
  const start = performance.now();
  for (let i = 0; i < 1000; i++) parseModelName(text, "model", new Violations());
  // 1,000 in 2 s: a check that tried all ways to split a name would not end.
  expect(performance.now() - start).toBeLessThan(2000);
});

test("checks the length before the grammar", () => {
  const start = performance.now();
  expect(violationsOf((violations) => parseModelName("a-".repeat(5_000_000), "model", violations))).toEqual([
    { field: "model", description: "has 10000000 bytes; a model's name has at most 255", reason: "INVALID_FIELD" },
  ]);
  expect(performance.now() - start).toBeLessThan(1000);
});
