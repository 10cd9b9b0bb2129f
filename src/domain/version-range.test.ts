import fc from "fast-check";
import { parse, SemVer, satisfies } from "semver";
import { describe, expect, it } from "vitest";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryIdentifier, arbitraryNumber, arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { encodePrecedence } from "./precedence.ts";
import { parseKnownVersion } from "./version.ts";
import { MAX_RANGE_BYTES, parseVersionRange, type VersionRange } from "./version-range.ts";
import { Violations } from "./violations.ts";

function rangeOf(text: string, prereleases: Prereleases = Prereleases.UNSPECIFIED): VersionRange | undefined {
  return parseVersionRange(text, prereleases, "range", new Violations());
}

function isInside({ intervals }: VersionRange, { version, prerelease }: SemVer): boolean {
  const key = encodePrecedence(parseKnownVersion(version));
  const around = intervals.filter(({ from, to }) => Buffer.compare(from, key) <= 0 && Buffer.compare(key, to) < 0);
  return around.some(({ prereleases }) => prereleases || prerelease.length === 0);
}

// Small numbers so that ranges and versions meet; large ones so that bounds do.
const number = () => fc.oneof({ arbitrary: fc.nat(3), weight: 12 }, { arbitrary: arbitraryNumber(), weight: 1 });
const identifier = () =>
  fc.oneof({ arbitrary: fc.constantFrom("0", "1", "rc", "rc1", "v1"), weight: 4 }, arbitraryIdentifier());
const prerelease = () =>
  fc
    .array(identifier(), { maxLength: 3 })
    .map((identifiers) => identifiers.map((text, at) => `${at === 0 ? "-" : "."}${text}`).join(""));
const fullVersion = () =>
  fc.tuple(number(), number(), number(), prerelease()).map(([major, minor, patch, tail]) => {
    return `${major}.${minor}.${patch}${tail}`;
  });
const version = () => fc.oneof({ arbitrary: fullVersion(), weight: 4 }, arbitraryVersion());

const wildcard = () => fc.constantFrom("x", "X", "*");
const partial = () =>
  fc.oneof(
    fullVersion(),
    fullVersion().map((text) => `${text}+build.7`),
    wildcard(),
    number().map(String),
    fc.tuple(number(), wildcard()).map((parts) => parts.join(".")),
    fc.tuple(number(), number()).map((parts) => parts.join(".")),
    fc.tuple(number(), number(), wildcard()).map((parts) => parts.join(".")),
    fc.tuple(number(), wildcard(), wildcard()).map((parts) => parts.join(".")),
  );
const operator = () => fc.constantFrom("", "", "=", ">", ">=", "<", "<=", "^", "~", "~>");
const comparator = () => fc.tuple(operator(), fc.constantFrom("", "", " "), partial()).map((parts) => parts.join(""));
const hyphenRange = () => fc.tuple(partial(), partial()).map((bounds) => bounds.join(" - "));
const comparatorSet = () =>
  fc
    .tuple(fc.array(comparator(), { minLength: 1, maxLength: 3 }), fc.constantFrom(" ", "  "))
    .map(([comparators, space]) => comparators.join(space));
const rangeText = () =>
  fc
    .tuple(
      fc.array(fc.oneof({ arbitrary: comparatorSet(), weight: 3 }, hyphenRange()), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("||", " || "),
      fc.constantFrom("", " "),
    )
    .map(([alternatives, or, space]) => space + alternatives.join(or) + space);

/** Runs the check on ranges that are taken, with versions of which many are inside. */
function checkRanges(rule: Prereleases, check: (range: VersionRange, version: SemVer) => void, numRuns = 4_000): void {
  let taken = 0;
  const property = fc.property(rangeText(), fc.array(version(), { minLength: 5, maxLength: 10 }), (text, versions) => {
    const range = rangeOf(text, rule);
    if (range === undefined) return;
    taken += 1;
    for (const each of versions) {
      const parsed = parse(each);
      if (parsed !== null) check(range, parsed);
    }
  });
  fc.assert(property, { numRuns });
  expect(taken).toBeGreaterThan(numRuns / 2);
}

const rules = [
  ["UNSPECIFIED", Prereleases.UNSPECIFIED, (version: SemVer, text: string) => satisfies(version, text)],
  [
    "INCLUDE",
    Prereleases.INCLUDE,
    (version: SemVer, text: string) => satisfies(version, text, { includePrerelease: true }),
  ],
  [
    "EXCLUDE",
    Prereleases.EXCLUDE,
    (version: SemVer, text: string) => satisfies(version, text) && version.prerelease.length === 0,
  ],
] as const;

describe.each(rules)("with prereleases %s a range", (_, prereleases, isExpected) => {
  it("selects what semver's own test takes, and its intervals hold exactly that", () => {
    let selected = 0;
    checkRanges(prereleases, (range, version) => {
      const expected = isExpected(version, range.text);
      const key = encodePrecedence(parseKnownVersion(version.version));
      const found = { isInside: isInside(range, version), selects: range.selects(key) };
      const about = { version: version.version, range: range.text };
      expect({ ...about, ...found }).toEqual({ ...about, isInside: expected, selects: expected });
      if (expected) selected += 1;
    });
    expect(selected).toBeGreaterThan(1_000);
  });
});

describe("the intervals of a range, prereleases included,", () => {
  it.each([
    ["*", ["0.0.0-0", "0.0.0", "9007199254740991.9007199254740991.9007199254740991"], []],
    ["x", ["0.0.0", "1.0.0-rc.1"], []],
    ["1.x || >=2.5.0 || 5.0.0 - 7.2.3", ["1.0.0", "1.9.9", "2.5.0", "6.0.0", "7.2.3"], ["0.9.9", "2.0.0", "2.4.9"]],
    [" >=1.0.0  <2.0.0 ", ["1.0.0", "1.9.9-rc", "2.0.0-rc"], ["1.0.0-rc", "2.0.0"]],
    ["1.2.3", ["1.2.3", "1.2.3+b"], ["1.2.3-rc", "1.2.4-0"]],
    ["=1.2.3-rc", ["1.2.3-rc"], ["1.2.3-rc.0", "1.2.3-rb.9"]],
    [">1.2.3-rc", ["1.2.3-rc.0", "1.2.3-rc-"], ["1.2.3-rc"]],
    ["<=1.2.3-rc", ["1.2.3-rc", "1.2.3-99"], ["1.2.3-rc.0"]],
    ["^0.0.3", ["0.0.3"], ["0.0.4-0", "0.0.2"]],
    ["~1", ["1.0.0", "1.9.0"], ["2.0.0-0"]],
    ["<0.0.0-0", [], ["0.0.0-0", "0.0.0"]],
    [">2 <1", [], ["0.0.0", "1.0.0", "2.0.0", "3.0.0"]],
    [">=1.0.0-v1", ["1.0.0-v1", "1.0.0"], ["1.0.0-v0"]],
    ["1.0.0-beta.v2 - 2.0.0", ["1.0.0-beta.v2", "2.0.0"], ["1.0.0-beta.v1", "2.0.1-0"]],
    ["1.0.0-v.v || 3.0.0--v", ["1.0.0-v.v", "3.0.0--v"], ["1.0.0-v"]],
    ["~1.2.3-alpha.V", ["1.2.3-alpha.V", "1.2.9"], ["1.3.0-0"]],
    ["1.2.3+v.1", ["1.2.3"], ["1.2.4"]],
  ])("of %j hold %j and not %j", (text, inside, outside) => {
    const range = rangeOf(text, Prereleases.INCLUDE);
    if (range === undefined) throw new Error(`${text} is refused`);
    expect(inside.filter((version) => !isInside(range, new SemVer(version)))).toEqual([]);
    expect(outside.filter((version) => isInside(range, new SemVer(version)))).toEqual([]);
  });

  it.each(rules)("ascend and do not overlap with prereleases %s", (_, prereleases) => {
    fc.assert(
      fc.property(fc.array(rangeText(), { minLength: 1, maxLength: 4 }), (alternatives) => {
        const intervals = rangeOf(alternatives.join(" || "), prereleases)?.intervals ?? [];
        for (const [index, { from, to }] of intervals.entries()) {
          expect(Buffer.compare(from, to)).toBe(-1);
          const next = intervals[index + 1];
          if (next !== undefined) expect(Buffer.compare(to, next.from)).not.toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

const grammar = "is no range; use npm's grammar, such as ^1.2 or >=1.0 <2.0";
const excessive = "reaches beyond the numbers of versions; stay below 9007199254740991";
const empty = "has an empty alternative; write * for every version";
const prefixed = "has a v before a number; leave it out";

it.each([
  ["1 || 2 || 3", Prereleases.UNSPECIFIED, 1],
  ["1 || 2 || 3", Prereleases.INCLUDE, 1],
  ["1 || 3", Prereleases.UNSPECIFIED, 2],
  ["1.x || 1.2.3-beta", Prereleases.UNSPECIFIED, 3],
] as const)("%s with prereleases %i is as few intervals as can be: %i", (text, prereleases, count) => {
  expect(rangeOf(text, prereleases)?.intervals).toHaveLength(count);
});

describe("parseVersionRange", () => {
  it.each([
    ["", "is required; give a range in npm's grammar, such as ^1.2, or * for every version"],
    [" ", empty],
    ["||", empty],
    ["1 ||", empty],
    ["|| 1", empty],
    ["1 || || 2", empty],
    ["v1", prefixed],
    ["=v1", prefixed],
    [">=v1.2", prefixed],
    ["^V2", prefixed],
    ["~>v1", prefixed],
    ["1 ||v2", prefixed],
    ["1.0.0 - v2.0.0", prefixed],
    ["not a range", grammar],
    ["latest", grammar],
    ["^", grammar],
    [">=", grammar],
    ["1.2.3.4", grammar],
    ["01.2", grammar],
    ["1.x.3", grammar],
    ["*.1", grammar],
    ["1.0.0-rc.01", grammar],
    [">=9007199254740992.0.0", excessive],
    ["1.2.9007199254740992", excessive],
    ["^9007199254740992", excessive],
    ["^9007199254740991.0.0", excessive],
  ])("refuses %j", (text, mistake) => {
    const [violation, ...more] = violationsOf((violations) =>
      parseVersionRange(text, Prereleases.UNSPECIFIED, "range", violations),
    );
    expect(more).toEqual([]);
    expect(violation).toMatchObject({ field: "range", reason: "INVALID_FIELD" });
    expect(violation?.description.endsWith(mistake)).toBe(true);
  });

  // npm strips build metadata first, and what is left of +abc means everything.
  it.each(["+abc", " +abc ", "1.0.0 || +abc"])("refuses %j, which is build metadata alone", (text) => {
    expect(rangeOf(text)).toBeUndefined();
  });

  // A bound that is no version of ours would bound nothing.
  it.each([
    "<=2.0.0-9007199254740992",
    ">=1.0.0-rc.99999999999999999999",
    `>=1.0.0-${"a".repeat(128)}`,
    `1.0.0-${"a".repeat(128)} - 2.0.0`,
  ])("refuses %j, whose bound cannot be a version", (text) => {
    expect(rangeOf(text)).toBeUndefined();
  });

  it.each(["1\u0000", "\u00071", "1 \u007f"])("refuses %j, which has a control character", (text) => {
    expect(rangeOf(text)).toBeUndefined();
  });

  it.each(["1.0.0\n", "1\t||\n2", "\u00a0^1", "\ufeff1"])("refuses %j, whose white space is no space", (text) => {
    expect(rangeOf(text)).toBeUndefined();
  });

  it("takes 512 bytes and refuses 513", () => {
    const longest = `1.0.0${" ".repeat(MAX_RANGE_BYTES - 10)}2.0.0`;
    expect(rangeOf(longest)).toBeDefined();
    expect(
      violationsOf((violations) => parseVersionRange(`${longest} `, Prereleases.UNSPECIFIED, "range", violations)),
    ).toEqual([{ field: "range", description: "has 513 bytes; a range has at most 512", reason: "INVALID_FIELD" }]);
  });

  it.each([
    ["alternatives", "1||".repeat(170)],
    ["comparators", ">0 ".repeat(170)],
    ["hyphens", "1 - ".repeat(127)],
    ["dashes", `1.0.0-${"-".repeat(506)}`],
    ["identifiers", `1.0.0-${"a.".repeat(252)}`],
    ["equal signs", "=".repeat(511)],
    ["spaced equal signs", "= ".repeat(255)],
    ["tildes", "~ ".repeat(255)],
    ["carets", "^ ".repeat(255)],
    ["dots", "1.".repeat(255)],
    ["digits", "1".repeat(511)],
    ["spaces", `1${" ".repeat(510)}`],
    ["plus signs", "1+a".repeat(170)],
  ])("decides 512 bytes of %s in bounded time", (_, beginning) => {
    const text = `${beginning}1`.slice(0, MAX_RANGE_BYTES);
    const startedAt = performance.now();
    rangeOf(text);
    expect(performance.now() - startedAt).toBeLessThan(250);
  });

  // With prereleases included, npm computes the next patch of the upper bound.
  it("does not throw at an upper bound of 2^53-1", () => {
    expect(() => rangeOf("1.0.0 - 2.0.9007199254740991")).not.toThrow();
  });

  it("never throws", () => {
    const pieces = fc.constantFrom(..."0129.xX*-+<>=~^| vV\tar", "9007199254740991", " - ", "||", "rc", "\u0000", "é");
    const text = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: "binary" }), rangeText()), (any) => {
        const violations = new Violations();
        const range = parseVersionRange(any, Prereleases.UNSPECIFIED, "range", violations);
        expect(violationsOf(() => violations.throwIfAny())).toHaveLength(range === undefined ? 1 : 0);
      }),
      { numRuns: 5_000 },
    );
  });
});
