import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ModelMetadata,
  type ModelMetadataSchema,
  ModelVersionSchema,
} from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryMetadata } from "../../test/support/arbitrary-metadata.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { parseVersionFilter, type VersionFilter } from "./version-filter.ts";
import { Violations } from "./violations.ts";

function encode(metadata: MessageInitShape<typeof ModelMetadataSchema>): Uint8Array {
  const registeredAt = { seconds: 1_780_000_000n, nanos: 5_000_000 };
  return toBinary(
    ModelVersionSchema,
    create(ModelVersionSchema, { model: "resnet", version: "1.2.3", registeredAt, registeredBy: "ci", metadata }),
  );
}

function filterOf(text: string): VersionFilter {
  const violations = new Violations();
  const filter = parseVersionFilter(text, "filter", violations);
  if (filter === undefined) throw violations.toError();
  return filter;
}

function mistakesIn(text: string): string[] {
  const violations = violationsOf((found) => parseVersionFilter(text, "filter", found));
  return violations.map(({ field, description }) => `${field} ${description}`);
}

const sample = encode({
  metrics: { accuracy: 0.95, constructor: 1 },
  labels: { team: "vision" },
  artifacts: [
    { uri: "s3://a", sizeBytes: 9_007_199_254_740_993n },
    { uri: "s3://b", sizeBytes: 0n },
    { uri: "s3://c" },
  ],
  attributes: {
    epochs: 12,
    none: null,
    yes: true,
    name: "abc",
    list: [1, 2, 3],
    object: { constructor: 1 },
    long: Array(2049).fill(1),
    lists: [Array(2049).fill(1), [1]],
  },
});

describe("an accepted filter", () => {
  it.each([
    ["9007199254740993 is told from its neighbour", "metadata.artifacts[0].size_bytes == 9007199254740993", true],
    ["9007199254740992 is told from its neighbour", "metadata.artifacts[0].size_bytes == 9007199254740992", false],
    ["an int compares with a double", "metadata.artifacts[0].size_bytes > 1e15 && 1 == 1.0 && 1 < 1.5", true],
    ["a list of ints and doubles holds either", "metadata.attributes.epochs in [1.5, 12]", true],
    ["a loop goes through a list literal", "[1, 2.5].exists(x, x > 2)", true],
    ["0 is present in an optional field", "has(metadata.artifacts[1].size_bytes)", true],
    ["an optional field can be absent", "has(metadata.artifacts[2].size_bytes)", false],
    ["an absent optional field is 0", "metadata.artifacts[2].size_bytes == 0", true],
    ["null in attributes is present", "has(metadata.attributes.none) && 'none' in metadata.attributes", true],
    ["null equals null", "metadata.attributes.none == null", true],
    ["an absent attribute is not null", "metadata.attributes.absent == null", false],
    ["an absent attribute is not other than null", "metadata.attributes.absent != null", false],
    ["|| knows one true side", "metadata.attributes.absent == 1 || true", true],
    ["|| knows one true side behind", "true || metadata.attributes.absent == 1", true],
    ["|| without a true side is an error", "metadata.attributes.absent == 1 || false", false],
    ["! keeps an error", "!(metadata.attributes.absent == 1)", false],
    ["&& knows one false side", "!(metadata.attributes.absent == 1 && false)", true],
    ["exists goes on behind an error", "metadata.attributes.list.exists(x, x.y == 1 || x == 3)", true],
    ["exists_one stops at an error", "metadata.attributes.list.exists_one(x, x == 1 ? true : x.y == 1)", false],
    ["exists_one counts to one", "metadata.attributes.list.exists_one(x, x > 2)", true],
    ["a label is no property of an object", "has(metadata.labels.constructor)", false],
    ["a metric may have the name of a property", "metadata.metrics.constructor == 1.0", true],
    ["an attribute may have the name of a property", "metadata.attributes.object.constructor == 1", true],
    ["an attribute of another kind is no condition", "metadata.attributes.name", false],
    [
      "a number in attributes is a double",
      "metadata.attributes.epochs + 1 == 13 && -metadata.attributes.epochs < 0",
      true,
    ],
    [
      "attributes are added behind a double",
      "0.0 + metadata.attributes.epochs + metadata.attributes.list[0] == 13",
      true,
    ],
    ["texts are not added", "0.0 + metadata.attributes.name == 1.0 || true", true],
    ["an index before the first is an error", "metadata.attributes.list[-1] == 3", false],
    ["an object has no int keys", "metadata.attributes[1] == 1", false],
    ["division by zero is an error", "1 / 0 == 1 || 1 % 0 == 1", false],
    ["an overflow is an error", "9223372036854775807 + 1 > 0", false],
    ["the least int is one", "-9223372036854775808 < 0", true],
    ["a list that is too long is an error", "1 in metadata.attributes.long", false],
    ["a list that is too long is an error on one side", "1 in metadata.attributes.long || true", true],
    ["a list that is too long inside of a list is an error", "size(metadata.attributes.lists[0]) > 0 || true", true],
    ["a list beside one that is too long is none", "metadata.attributes.lists[1][0] == 1", true],
    ["a loop over lists that are too long is an error", "metadata.attributes.lists.exists(x, true)", false],
    ["nanoseconds count", 'registered_at > timestamp("2026-05-28T20:26:40.004Z")', true],
    ["a timestamp equals itself", 'registered_at == timestamp("2026-05-28T20:26:40.005Z")', true],
    ["a timestamp may be in a list", 'registered_at in [timestamp("2026-05-28T20:26:40.005Z")]', true],
    ["an escape is one character", String.raw`"\u0061" == "a" && size("😀") == 1`, true],
  ])("%s", (_, text, expected) => {
    expect(filterOf(text).matches(sample)).toBe(expected);
    expect(filterOf(text).text).toBe(text);
  });

  it("matches a record without metadata, registration time or attributes", () => {
    const bare = toBinary(ModelVersionSchema, create(ModelVersionSchema, { model: "m" }));
    expect(filterOf('model == "m" && metadata.description == ""').matches(bare)).toBe(true);
    expect(filterOf('registered_at > timestamp("2026-01-01T00:00:00Z")').matches(bare)).toBe(false);
    expect(filterOf("size(metadata.attributes) == 0").matches(bare)).toBe(true);
  });

  it("leaves stack traces on", () => {
    const before = Error.stackTraceLimit;
    filterOf("metadata.attributes.absent == 1").matches(sample);
    expect(Error.stackTraceLimit).toBe(before);
  });
});

describe("a refused filter", () => {
  const see = "docs/filter.md shows what can be written";
  const members = "only messages, maps and attributes have members";
  const like = "compare numbers, strings or timestamps, each with its like";
  const conversions = "leave it out; there are no conversions, and numbers compare with each other";
  const dear = "look for less in lists, long texts and attributes, or filter on the rest at the caller";

  it.each([
    ["", `ends too early at 1; ${see}`],
    ["   ", `ends too early at 4; ${see}`],
    ["[[[", `ends too early at 4; ${see}`],
    ['(model == "m"', `ends too early at 14; ${see}`],
    ['model == "m" and true', `is no CEL expression from "and true" at 14; ${see}`],
    ['"😀" == model )', `is no CEL expression from ")" at 14; ${see}`],
    [String.raw`"\U00110000" == model`, `is no CEL expression; ${see}`],
    ['model == "é"'.padEnd(1025), "has 1026 bytes; a filter has at most 1024"],
    ["(".repeat(101), "opens 101 brackets; a filter has at most 100"],
    [
      '"😀" == model && x',
      'has no field "x" at 17; ModelVersion has model, version, metadata, digest, registered_at, registered_by',
    ],
    ["metadata.source.uri == ''", 'has no field "uri" at 17; SourceReference has repository, revision, run_uri'],
    ["model.length == 1", `takes "length" of a string at 7; ${members}`],
    ["metadata.artifacts.uri == ''", `takes "uri" of a list at 20; ${members}`],
    ["1", 'is an int as a whole; write a condition, such as version == "1.0.0"'],
    ["1 && true", "uses && on an int at 1; write a comparison, such as x == 1"],
    ["!model", "uses ! on a string at 2; write a comparison, such as x == 1"],
    ["model ? true : false", "uses ?: on a string at 1; write a comparison, such as x == 1"],
    ["true ? 1 : model", "chooses between an int and a string at 1; both sides of : are scalars of one type"],
    [
      "true ? metadata : metadata",
      "chooses between a message and a message at 1; both sides of : are scalars of one type",
    ],
    ["model == 1", `compares a string with an int by == at 7; ${like}`],
    ["model != null", `compares a string with null by != at 7; ${like}`],
    ["true < false", `compares a bool with a bool by < at 6; ${like}`],
    ["metadata.attributes.a == registered_at", `compares an attribute with a timestamp by == at 23; ${like}`],
    [
      "metadata.attributes.a == metadata.attributes.b",
      "compares two attributes with == at 23; compare each with a literal",
    ],
    [
      "metadata == metadata",
      "compares a message as a whole at 1; compare single fields, elements or entries, or use has() or size()",
    ],
    ["[1] == [1]", 'has a list at 1; write lists only behind in, or before .exists, such as x in ["a", "b"]'],
    ["1 in []", "has an empty list at 6; name at least one element"],
    ['1 in [1, "a"]', "has a list of several types at 10; use scalars of one type"],
    [
      "1 in model",
      'looks for an int in a string at 3; look for a key in a map, or for a scalar in a list, such as x in ["a", "b"]',
    ],
    ['"1.0.0" <= version', "orders version by <= at 9; text has no precedence, use the range of the request"],
    ["model + model == model", "uses + on a string and a string at 7; + takes numbers, two ints or two doubles"],
    ["1 - size(model) * 1.5 == 1.0", "uses * on an int and a double at 17; * takes numbers, two ints or two doubles"],
    ["1.5 % 1.0 == 1.0", "uses % on a double and a double at 5; % takes two ints"],
    ["-model == 1", "uses - on a string at 1; it takes a number"],
    [
      "metadata.attributes.a + metadata.attributes.b > 1.0",
      "adds two attributes, which can be texts or lists at 23; write 0.0 + before them",
    ],
    [
      "metadata.artifacts['a'] == 1",
      'takes a string as the key in a list at 19; maps take a string, such as labels["team"], lists an int, attributes either',
    ],
    ["1u == 1", "has an unsigned int or bytes at 1; write 3 or a string"],
    ['b"a" == b"a"', "has an unsigned int or bytes at 1; write 3 or a string"],
    ["9223372036854775808 > 1", "has an int beyond 64 bits at 1; write a double, such as 1e20"],
    ["1e999 > 1.0", "has a number beyond doubles at 1; write a smaller one"],
    ["size(1) == 1", "takes the size of an int at 1; only strings, lists and maps have one"],
    ["model.contains(1)", "uses contains() on an int at 16; it takes strings"],
    [
      'model.matches("a+")',
      'calls "matches" at 7; use startsWith, endsWith or contains; there are no regular expressions',
    ],
    ["model.startsWith()", 'calls "startsWith" in another way than it is defined at 7; write x.startsWith("...")'],
    ["string(1) == model", `calls "string" at 1; ${conversions}`],
    ["nothing(1)", 'calls "nothing" at 1; docs/filter.md lists the functions of a filter'],
    [
      "timestamp(model) < registered_at",
      'calls timestamp() at 1; write it as RFC 3339 has it, such as timestamp("2026-01-01T00:00:00Z")',
    ],
    ["has(model)", 'calls "has" at 1; write has() around a field, such as has(metadata.source)'],
    ["metadata.artifacts.filter(a, true)", "calls .filter() at 19; use exists, all or exists_one"],
    ["metadata.artifacts.map(a, true, a.uri)", "calls .map() at 19; use exists, all or exists_one"],
    ["metadata.artifacts.exists(a, a.uri)", "has a string as a condition at 32; write a comparison"],
    ["model.exists(a, true)", "looks for elements in a string at 1; only lists, maps and attributes have them"],
    [
      "metadata.artifacts.exists(model, true)",
      "names its variable model, like a field at 19; choose another name, such as x",
    ],
    [
      "[1].all(a, [1].exists(b, true))",
      "has .exists() inside another at 15; use one level; filter on the rest at the caller",
    ],
    ['"a" in {"a": 1}', "builds a map or message at 8; compare its fields one by one"],
    ["stele.v1.Artifact{} == 1", "builds a map or message at 1; compare its fields one by one"],
    [
      "metadata.training_data.exists(d, metadata.description.contains(d.name))",
      `can take 375 ms for the largest record, at most 25; ${dear}`,
    ],
  ])("%s", (text, expected) => {
    expect(mistakesIn(text)).toEqual([`filter ${expected}`]);
  });
});

const tokens = [
  ...[
    "model",
    "version",
    "metadata",
    ".labels",
    ".metrics",
    ".artifacts",
    ".attributes",
    ".a",
    "a",
    ".size_bytes",
    "registered_at",
  ],
  ...[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    ".",
    "==",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    " in ",
    " ",
  ],
  ...[
    "1",
    "0.5",
    "1u",
    "0x1f",
    '"a"',
    "'",
    '"',
    '"""',
    'b"',
    'r"',
    "\\",
    "\\u00",
    "true",
    "null",
    "//",
    "\n",
    "😀",
    "\ud800",
  ],
  ...[
    "has(",
    "size(",
    "timestamp(",
    ".exists(a,",
    ".all(a,",
    ".exists_one(a,",
    ".map(a,",
    ".contains(",
    ".matches(",
    "@a",
    "`",
  ],
];

describe("any text", () => {
  const soup = fc.array(fc.constantFrom(...tokens), { maxLength: 300 }).map((parts) => parts.join(""));
  const unicode = fc.string({ unit: "binary", maxLength: 1100 });
  const ascii = fc.string({ unit: "binary-ascii", maxLength: 1100 });
  const short = fc.array(fc.constantFrom(...tokens), { maxLength: 8 }).map((parts) => parts.join(""));

  it("is a filter or exactly one violation", () => {
    fc.assert(
      fc.property(fc.oneof(soup, short, unicode, ascii), (text) => {
        const violations = new Violations();
        const filter = parseVersionFilter(text, "filter", violations);
        const found = violationsOf(() => violations.throwIfAny());
        expect(found).toHaveLength(filter === undefined ? 1 : 0);
        if (filter !== undefined) expect(typeof filter.matches(sample)).toBe("boolean");
      }),
      { numRuns: 3000 },
    );
  });
});

type Comparison = readonly [text: string, holds: (metadata: ModelMetadata) => boolean];

const operators: readonly [string, (a: number | bigint | string, b: number | bigint | string) => boolean][] = [
  ["<", (a, b) => a < b],
  ["<=", (a, b) => a <= b],
  [">", (a, b) => a > b],
  [">=", (a, b) => a >= b],
  ["==", (a, b) => a === b],
  ["!=", (a, b) => a !== b],
];

/** A comparison of the filter with the same in TypeScript. What is missing makes either false. */
function arbitraryComparison(): fc.Arbitrary<Comparison> {
  const texts = fc.constantFrom("", "a", "team", "é", "😀", "accuracy");
  const numbers = fc.constantFrom(0, 0.5, -1, 2 ** 53);
  return fc.tuple(fc.constantFrom(...operators), texts, numbers, fc.nat(8)).map(([operator, text, number, which]) => {
    const [symbol, test] = operator;
    const [literal, double] = [JSON.stringify(text), number.toFixed(1)];
    const int = BigInt(number < 1 ? 0 : number);
    const comparisons: Comparison[] = [
      [`metadata.framework ${symbol} ${literal}`, ({ framework }) => test(framework, text)],
      [`metadata.source.revision ${symbol} ${literal}`, ({ source }) => test(source?.revision ?? "", text)],
      [
        `metadata.metrics.accuracy ${symbol} ${double}`,
        ({ metrics }) => has(metrics, "accuracy", (each) => test(each, number)),
      ],
      [`metadata.labels["team"] ${symbol} ${literal}`, ({ labels }) => has(labels, "team", (each) => test(each, text))],
      [`size(metadata.artifacts) ${symbol} ${int}`, ({ artifacts }) => test(BigInt(artifacts.length), int)],
      [`${literal} in metadata.metrics`, ({ metrics }) => Object.hasOwn(metrics, text)],
      [`metadata.description.contains(${literal})`, ({ description }) => description.includes(text)],
      [
        `metadata.artifacts.exists(a, a.size_bytes ${symbol} ${int})`,
        ({ artifacts }) => artifacts.some(({ sizeBytes }) => test(sizeBytes ?? 0n, int)),
      ],
      [
        `metadata.artifacts.all(a, a.media_type ${symbol} ${literal})`,
        ({ artifacts }) => artifacts.every(({ mediaType }) => test(mediaType, text)),
      ],
    ];
    return comparisons[which] ?? ["true", () => true];
  });
}

function has<Value>(map: Record<string, Value>, key: string, test: (value: Value) => boolean): boolean {
  const value = Object.hasOwn(map, key) ? map[key] : undefined;
  return value !== undefined && test(value);
}

describe("a filter over any record", () => {
  it("agrees with the same condition in TypeScript", () => {
    fc.assert(
      fc.property(arbitraryComparison(), arbitraryMetadata(), ([text, holds], metadata) => {
        expect(filterOf(text).matches(encode(metadata))).toBe(holds(metadata));
      }),
      { numRuns: 1500 },
    );
  });

  it("answers true or false whatever the expression", () => {
    fc.assert(
      fc.property(arbitraryCondition(3), arbitraryMetadata(), (text, metadata) => {
        const filter = parseVersionFilter(text, "filter", new Violations());
        if (filter !== undefined) expect(typeof filter.matches(encode(metadata))).toBe("boolean");
      }),
      { numRuns: 1500 },
    );
  });
});

/** A condition, mostly one that is accepted. */
function arbitraryCondition(levels: number): fc.Arbitrary<string> {
  const attributes = fc
    .constantFrom("", ".a", "[0]", ".a.a", '["1"]', ".a[0]")
    .map((path) => `metadata.attributes${path}`);
  const values = fc.oneof(attributes, fc.constantFrom("1", "0.5", '"a"', "null", "model", "metadata.metrics.accuracy"));
  const comparison = fc.tuple(values, fc.constantFrom("==", "!=", "<", ">=", " in "), fc.oneof(values, attributes));
  const simple = fc.oneof(
    comparison.map((parts) => parts.join("")),
    attributes,
    attributes.map((value) => `size(${value}) > 0`),
    attributes.map((value) => `${value}.startsWith("a")`),
    attributes.map((value) => `-${value} * 2 < 1.0`),
    arbitraryComparison().map(([text]) => text),
  );
  if (levels === 0) return simple;
  const inner = arbitraryCondition(levels - 1);
  return fc.oneof(
    simple,
    fc.tuple(inner, fc.constantFrom("&&", "||"), inner).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
    inner.map((condition) => `!(${condition})`),
    fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc.tuple(attributes, fc.constantFrom("exists", "all", "exists_one"), inner).map(([list, macro, condition]) => {
      return `${list}.${macro}(x, x == 1 || x.a == "b" || ${condition})`;
    }),
  );
}
