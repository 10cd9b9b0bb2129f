import { expect, it } from "vitest";
import { formatMatrix } from "./matrix-reporter.ts";

it("shows what came of every case in every language", () => {
  const results = [
    { language: "rust", name: "get: exactly", mark: "✓" },
    { language: "go", name: "get: exactly", mark: "✗" },
    { language: "go", name: "list: a filter", mark: "✓" },
  ];
  expect(formatMatrix(results).split("\n")).toEqual([
    "Conformance     go  rust",
    "get: exactly    ✗   ✓",
    "list: a filter  ✓",
    "2 of 3 passed",
  ]);
});
