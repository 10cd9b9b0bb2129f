import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ModelMetadataSchema, type ModelVersion, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { validateMetadata } from "./metadata.ts";
import { checkRecordSize } from "./record-limits.ts";
import { parseVersionFilter, type VersionFilter } from "./version-filter.ts";
import { Violations } from "./violations.ts";

const MAX_BLOCK_MS = 50;

/** A record near every limit at once. */
function largest(attributes: JsonObject): ModelVersion {
  const text = "a".repeat(256);
  const digest = `sha256:${"0".repeat(64)}`;
  return create(ModelVersionSchema, {
    model: "m".repeat(255),
    version: `1.0.0-${"a".repeat(122)}`,
    digest,
    registeredAt: { seconds: 1_780_000_000n },
    metadata: {
      description: "a".repeat(16 * 1024),
      architecture: text,
      source: { repository: `https://e/${"a".repeat(2038)}`, revision: text },
      metrics: Object.fromEntries(numbers(256).map((index) => [`${"m".repeat(124)}${index}`, index])),
      labels: Object.fromEntries(numbers(64).map((index) => [`${"l".repeat(60)}${index}`, text])),
      artifacts: numbers(1000).map((index) => ({
        name: `${"a".repeat(50)}${index}`,
        uri: `s3://a/${"a".repeat(500)}`,
        digest,
        sizeBytes: 2n ** 62n + BigInt(index),
      })),
      trainingData: numbers(256).map(() => ({ name: text, uri: `s3://a/${"a".repeat(200)}`, digest })),
      dependencies: numbers(256).map(() => ({ model: "a", version: "1.0.0", relation: text })),
      attributes,
    },
  });
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

const attributes: Record<string, JsonObject> = {
  "2,048 truths": { l: Array(2048).fill(true) },
  "2,048 empty objects": { l: Array(2048).fill({}) },
  "2,048 objects": { l: Array(2048).fill({ a: "bc" }) },
  "eight lists of 2,000 elements": { l: Array(7).fill(Array(2000).fill(true)), m: Array(2000).fill([]) },
  "16,000 elements": { l: Array(16_000).fill(true) },
  "2,048 entries": { l: Object.fromEntries(numbers(2048).map((index) => [index.toString(36), null])) },
  "one long text": { l: "a".repeat(65_000) },
  "deep lists": { l: Array(1300).fill([[[[[[[[[[[[]]]]]]]]]]]]) },
};

const records = Object.entries(attributes).map(([name, each]) => ({ name, record: largest(each) }));

/** The unit as often as it fits. */
function fill(unit: string, { open = "", close = "", separator = "" } = {}): string {
  const room = 1024 - open.length - close.length + separator.length;
  return (
    open +
    Array(Math.floor(room / (unit.length + separator.length)))
      .fill(unit)
      .join(separator) +
    close
  );
}

function nest(open: string, inner: string, close: string): string {
  const levels = Math.min(100, Math.floor((1024 - inner.length) / (open.length + close.length)));
  return open.repeat(levels) + inner + close.repeat(levels);
}

const list = "metadata.attributes.l";
const description = "metadata.description";

const texts = [
  ...[
    "(",
    "[",
    "{",
    "f(",
    "a[",
    "{1:",
    "!",
    "-",
    "- ",
    "a.",
    "a?",
    "a?a:",
    "a&&",
    "a||",
    "1+",
    "?:",
    "&&",
    " ",
    "\t",
  ].map((unit) => fill(unit)),
  ...['"', "'", '"""', "\\", "//", "é", "😀", "\0", "`", ".", ",", "0", "9", "\n"].map((unit) => fill(unit)),
  ...["(", "[", "f(", "{1:", "-("].map((unit) => unit.repeat(100)),
  ...[
    nest("(", "1", ")"),
    nest("[", "1", "]"),
    nest("-(", "1", ")"),
    nest("(true?", "true", ":true)"),
    nest("size(", "1", ")"),
  ],
  `${"-".repeat(42)}${"\t".repeat(10)}.${"\t".repeat(12)}a${"\t".repeat(950)}`,
  nest("metadata.labels.exists(a,", "true", ")"),
  fill("!", { close: "true" }),
  fill("-", { close: "1>0" }),
  fill("true?true:", { close: "true" }),
  fill("true", { separator: "&&" }),
  fill("1", { separator: "+", close: ">0" }),
  fill(".a", { open: "metadata.attributes", close: "==1" }),
  fill("[0]", { open: list, close: "==1" }).slice(0, 300),
  `"${"a".repeat(900)}".contains("${"a".repeat(90)}b")`,
  fill(`${list}.exists(x,x)`, { separator: "||" }),
  fill(`${list}[1]==1`, { separator: "||" }),
  fill(`5 in ${list}`, { separator: "||" }),
  fill(`size(${list})==1`, { separator: "||" }),
  fill(`size(${description})==1`, { separator: "||" }),
  fill("size(metadata.metrics)==1", { separator: "||" }),
  fill("metadata.labels.a=='x'", { separator: "||" }),
  fill(`${description}.contains("b")`, { separator: "||" }),
  fill(`${description}.contains("baaaaaaa")`, { separator: "||" }),
  fill(`${description}.contains("aaaabaaa")`, { separator: "||" }),
  fill('registered_at==timestamp("2027-01-01T00:00:00Z")', { separator: "||" }),
  fill(`"b" in ["${"a".repeat(30)}"]`, { separator: "||" }),
  ...["a", "b", "ab", "aaaaaaab"].map((unit) => fill(unit, { open: `${description}.contains("b`, close: 'b")' })),
  ...["a", "b", "ab", "aaaaaaab"].map((unit) => fill(unit, { open: `${list}.contains("b`, close: 'b")' })),
  `${description}.contains(metadata.source.repository)`,
  `${description}.contains(${list})`,
  `metadata.artifacts.exists(a, ${description} <= ${list})`,
  `metadata.artifacts.exists(a, ${list}.startsWith(${description}))`,
  `metadata.artifacts.exists(a, 0.0 + ${list} == 1.0)`,
  `metadata.artifacts.exists(a, metadata.artifacts[999].uri == a.uri)`,
  `metadata.artifacts.exists(a, a.uri.contains("${"a".repeat(60)}b"))`,
  `metadata.artifacts.exists(a, a.uri.contains(a.name))`,
  `metadata.artifacts.exists(a, a.name in metadata.metrics || a.name in metadata.labels)`,
  `metadata.artifacts.exists(a, a.name in ["${fill("b", { close: " ".repeat(60), separator: '","' })}"])`,
  `metadata.artifacts.exists(a, registered_at == timestamp("2027-01-01T00:00:00Z"))`,
  `metadata.training_data.exists(d, ${description}.contains("b"))`,
  fill("a.size_bytes<0", { open: "metadata.artifacts.exists(a,", close: ")", separator: "||" }),
  ...[
    "x.y==1",
    "x<1",
    "x.y<1",
    "!x",
    "x[0]==1",
    "'a' in x",
    "1 in x",
    "size(x)==9",
    "x.contains('b')",
    "-x==1.0",
    "x in [1]",
  ].flatMap((condition) =>
    numbers(6).map(
      (count) =>
        `${list}.exists(x,${Array(count + 1)
          .fill(condition)
          .join("||")})`,
    ),
  ),
  ...["all(x,x.y!=1)", "exists_one(x,x.y==1)", "exists(x,metadata.labels.a=='b')", "all(x,x!=1||x!=2||x!=3||x!=4)"].map(
    (loop) => `${list}.${loop}`,
  ),
];

/** Whether one of a few runs holds the event loop for less than the bound, so that a busy machine fails nothing. */
function isQuick(run: () => unknown): boolean {
  return numbers(5).some(() => {
    const start = performance.now();
    run();
    return performance.now() - start < MAX_BLOCK_MS;
  });
}

function parse(text: string): VersionFilter | undefined {
  return parseVersionFilter(text, "filter", new Violations());
}

describe("a hostile filter", () => {
  it.each(texts)("%s is parsed at once", (text) => {
    expect(isQuick(() => parse(text))).toBe(true);
  });

  it.each(records)("is evaluated at once over the largest record with $name", ({ record }) => {
    const bytes = toBinary(ModelVersionSchema, record);
    const filters = texts.map(parse).filter((filter) => filter !== undefined);
    const slow = filters.filter((filter) => !isQuick(() => filter.matches(bytes)));
    expect(filters.length).toBeGreaterThan(40);
    expect(slow.map(({ text }) => text)).toEqual([]);
  });
});

describe("the largest record", () => {
  it.each(records)("could be registered with $name", ({ record }) => {
    const violations = violationsOf((found) => {
      validateMetadata(record.metadata ?? create(ModelMetadataSchema), "metadata", found);
      checkRecordSize(toBinary(ModelVersionSchema, record).length);
    });
    expect(violations).toEqual([]);
  });
});
