import { expect, test } from "vitest";
import { checkRecordSize } from "./record-limits.ts";

test("accepts a record of 1 MiB", () => {
  expect(() => checkRecordSize(1_048_576)).not.toThrow();
});

test("refuses a record of one byte more", () => {
  const description = "makes a record of 1048577 bytes; a record has at most 1048576, move bulk into an artifact";
  const expected = {
    reason: "INVALID_REQUEST",
    message: `metadata ${description}`,
    violations: [{ field: "metadata", description, reason: "INVALID_FIELD" }],
  };
  expect(() => checkRecordSize(1_048_577)).toThrow(expect.objectContaining(expected));
});
