import { expect, test } from "vitest";
import { attributePath, elementPath, entryPath, fieldPath } from "./field-path.ts";

test("names fields of the request by their names alone, others below their message", () => {
  expect(fieldPath("", "metadata")).toBe("metadata");
  expect(fieldPath("metadata", "training_data")).toBe("metadata.training_data");
  expect(fieldPath("", 99)).toBe("99");
  expect(fieldPath("metadata", 99)).toBe("metadata.99");
});

test("names elements by index and entries by key", () => {
  expect(elementPath("metadata.artifacts", 2)).toBe("metadata.artifacts[2]");
  expect(entryPath("metadata.metrics", 'a "b"\n')).toBe('metadata.metrics["a \\"b\\"\\n"]');
  expect(entryPath("metadata.metrics", "")).toBe('metadata.metrics[""]');
});

test.each([
  ["a", ".a"],
  ["_a1", "._a1"],
  ["a".repeat(64), `.${"a".repeat(64)}`],
  ["a".repeat(65), `["${"a".repeat(63)}…"]`],
  ["1", '["1"]'],
  ["99", '["99"]'],
  ["a b", '["a b"]'],
  ["a.b", '["a.b"]'],
  ["", '[""]'],
  ["é", '["é"]'],
  ["a\n", '["a\\n"]'],
])("writes the attribute %j so that it cannot be mistaken", (key, step) => {
  expect(attributePath("metadata.attributes", key)).toBe(`metadata.attributes${step}`);
});

test("stays short, however deep", () => {
  let path = "metadata.attributes";
  for (let i = 0; i < 1000; i++) path = attributePath(elementPath(path, 4_000_000_000), "\u0001".repeat(1000));
  expect(path.length).toBeLessThan(1000);
  expect(path).toMatch(/…$/);
});
