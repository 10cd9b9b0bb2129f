import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { parseVersionFilter } from "../../src/domain/version-filter.ts";
import { Violations } from "../../src/domain/violations.ts";
import { readDocument } from "../support/document.ts";
import { violationsOf } from "../support/violations-of.ts";

const document = readDocument("filter.md");

const block: Record<string, JsonValue> = JSON.parse(/```json\n(.*?)```/s.exec(document)?.[1] ?? "{}");
const records = Object.entries(block).map(([version, json]) => ({
  version,
  record: toBinary(ModelVersionSchema, fromJson(ModelVersionSchema, json)),
}));

const examples = rowsOf("matches");
const refused = rowsOf("message");

describe("docs/filter.md", () => {
  it("has its examples in two tables", () => {
    expect(records.map(({ version }) => version)).toEqual(["1.0.0", "1.1.0", "2.0.0"]);
    expect(examples.length).toBeGreaterThanOrEqual(40);
    expect(refused.length).toBeGreaterThanOrEqual(10);
  });

  it.each(examples)("$filter matches $other", ({ filter, other: matches }) => {
    const parsed = parseVersionFilter(filter, "filter", new Violations());
    const matching = records.filter(({ record }) => parsed?.matches(record)).map(({ version }) => version);
    expect(parsed).toBeDefined();
    expect(matching.join(" ")).toBe(matches);
  });

  it.each(refused)("$filter is refused", ({ filter, other: message }) => {
    const violations = violationsOf((found) => parseVersionFilter(filter, "filter", found));
    expect(violations.map(({ description }) => description)).toEqual([message]);
  });
});

/** The rows of the table whose second column has this name. */
function rowsOf(column: string): { filter: string; other: string }[] {
  const [, table = ""] = document.split(`| filter | ${column} |\n|---|---|\n`);
  const [rows = ""] = table.split("\n\n");
  return rows.split("\n").map((line) => {
    const [, filter = "", other = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
    return { filter: filter.replaceAll("`", ""), other };
  });
}
