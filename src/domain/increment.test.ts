import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { compare, satisfies } from "semver";
import { describe, expect, it } from "vitest";
import { IncrementSchema, Level } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryIdentifier, arbitraryNumber } from "../../test/support/arbitrary-version.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { RegistryError } from "./errors.ts";
import { mayResultIn, type NumberRule, parseIncrement, targetRelease, trainKeys, trainVersion } from "./increment.ts";
import { encodePrecedence } from "./precedence.ts";
import { parseKnownVersion } from "./version.ts";
import { Violations } from "./violations.ts";

const levels = [Level.MAJOR, Level.MINOR, Level.PATCH] as const;
const max = 2 ** 53 - 1;

function ruleOf(level: Level, { within = "", prerelease = "" } = {}): NumberRule {
  const violations = new Violations();
  const rule = parseIncrement(create(IncrementSchema, { level, within, prerelease }), "increment", violations);
  if (rule === undefined) throw violations.toError();
  violations.throwIfAny();
  return rule;
}

function refusalOf(work: () => unknown): RegistryError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
}

const level = () => fc.constantFrom(...levels);
const release = () =>
  fc.oneof(
    fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)).map((numbers) => numbers.join(".")),
    fc.tuple(arbitraryNumber(), arbitraryNumber(), arbitraryNumber()).map((numbers) => numbers.join(".")),
  );
const label = () =>
  fc.oneof(
    fc.constantFrom("rc", "beta", "rc.1", "nightly.gpu", "-", "0", "1.0"),
    fc.array(arbitraryIdentifier(), { minLength: 1, maxLength: 3 }).map((identifiers) => identifiers.join(".")),
  );

describe("targetRelease and trainVersion", () => {
  it("answer a version above the base, or that the number is out of range", () => {
    let answered = 0;
    const property = fc.property(release(), level(), fc.option(label()), fc.nat(300), (base, level, label, highest) => {
      const rule = ruleOf(level);
      const next = () => {
        const target = targetRelease(parseKnownVersion(base), rule);
        return label === null ? target : trainVersion(target, label, highest);
      };
      const refusal = refusalOf(next);
      if (refusal !== undefined) {
        expect(refusal.reason).toBe("VERSION_OUT_OF_RANGE");
        return;
      }
      answered += 1;
      expect(compare(next().text, base)).toBe(1);
    });
    fc.assert(property, { numRuns: 5_000 });
    expect(answered).toBeGreaterThan(2_500);
  });

  it.each([
    [Level.MAJOR, "1.0.0", "2.0.0"],
    [Level.MINOR, "0.1.0", "1.3.0"],
    [Level.PATCH, "0.0.1", "1.2.4"],
  ] as const)("raise level %i from nothing to %s and from 1.2.3 to %s", (level, first, next) => {
    expect(targetRelease(undefined, ruleOf(level))).toEqual(parseKnownVersion(first));
    expect(targetRelease(parseKnownVersion("1.2.3"), ruleOf(level))).toEqual(parseKnownVersion(next));
    expect(targetRelease(parseKnownVersion("1.2.3+b"), ruleOf(level))).toEqual(parseKnownVersion(next));
  });

  it.each([
    [Level.MAJOR, `${max - 1}.0.0`, `${max}.0.0`],
    [Level.MINOR, `1.${max - 1}.0`, `1.${max}.0`],
    [Level.PATCH, `1.2.${max - 1}`, `1.2.${max}`],
  ] as const)("go up to 2^53-1 at level %i and no further", (level, base, target) => {
    expect(targetRelease(parseKnownVersion(base), ruleOf(level)).text).toBe(target);
    expect(refusalOf(() => targetRelease(parseKnownVersion(target), ruleOf(level)))).toMatchObject({
      reason: "VERSION_OUT_OF_RANGE",
      metadata: {},
      violations: [],
    });
  });

  it("number a train up to 2^53-1 and no further", () => {
    const target = parseKnownVersion("1.2.3");
    expect(trainVersion(target, "rc", 0)).toEqual(parseKnownVersion("1.2.3-rc.1"));
    expect(trainVersion(target, "rc", max - 1)).toEqual(parseKnownVersion(`1.2.3-rc.${max}`));
    expect(refusalOf(() => trainVersion(target, "rc", max))?.reason).toBe("VERSION_OUT_OF_RANGE");
  });

  it("refuse a version beyond 128 bytes", () => {
    const target = parseKnownVersion(`${max}.${max}.${max}`);
    const label = "a".repeat(64);
    expect(trainVersion(target, label, 10 ** 11).text).toHaveLength(128);
    expect(refusalOf(() => trainVersion(target, label, 10 ** 12))?.reason).toBe("VERSION_OUT_OF_RANGE");
  });
});

describe("trainKeys", () => {
  const endings = fc.oneof(
    fc.constantFrom("LABEL", "LABELa.1", "LABEL-.1", "LABEL.1a", "a.LABEL.1", "0", "LABEL.00a", ""),
    fc.tuple(fc.constant("LABEL"), arbitraryNumber()).map((parts) => parts.join(".")),
    fc.tuple(fc.constant("LABEL"), arbitraryNumber(), arbitraryIdentifier()).map((parts) => parts.join(".")),
    fc.tuple(fc.constant("LABEL"), arbitraryIdentifier()).map((parts) => parts.join(".")),
    arbitraryIdentifier(),
  );
  const related = fc
    .tuple(release(), label(), endings, fc.constantFrom("", "", "+b.1"))
    .map(([target, label, ending, build]) => {
      const prerelease = ending.replace("LABEL", label);
      return [target, label, `${target}${prerelease === "" ? "" : `-${prerelease}`}${build}`] as const;
    })
    .filter(([, , version]) => version.length <= 128);

  it("hold TARGET-label.N and what goes on from it, and nothing else", () => {
    const counts = { inside: 0, outside: 0 };
    const property = fc.property(related, ([target, label, text]) => {
      const { from, to, depth } = trainKeys(parseKnownVersion(target), label);
      const version = parseKnownVersion(text);
      const key = encodePrecedence(version);
      const isInside = Buffer.compare(from, key) <= 0 && Buffer.compare(key, to) < 0;
      const [core = ""] = text.split("+");
      const beginning = `${target}-${label}.`;
      const isCar = core.startsWith(beginning) && /^\d+(\.|$)/.test(core.slice(beginning.length));
      if (isInside !== isCar) throw new Error(`${text} of ${beginning}N: inside is ${isInside}`);
      if (isInside) expect(version.prerelease[depth]).toBe(Number.parseInt(core.slice(beginning.length), 10));
      counts[isInside ? "inside" : "outside"] += 1;
    });
    fc.assert(property, { numRuns: 10_000 });
    expect(Math.min(counts.inside, counts.outside)).toBeGreaterThan(1_000);
  });
});

describe("mayResultIn", () => {
  const withins = ["", "", "*", "^1", "1.x", "~1.2", "<=1.2.0", ">=1.0.0-rc.1 <2", "0.x || 2.x", "0.1.0 - 1.2"];
  const version = () =>
    fc
      .tuple(release(), fc.constantFrom("", "", "-rc.1", "-rc.2", "-beta.9", "-rc.x", "-nightly.gpu.3"))
      .map((parts) => parts.join(""));
  const rule = () =>
    fc.record({
      level: level(),
      within: fc.constantFrom(...withins),
      prerelease: fc.oneof(
        fc.constant(""),
        label().filter((text) => text.length < 40),
      ),
    });

  /** The rule applied to plain texts. */
  function resultOf(
    versions: string[],
    { level, within, prerelease }: Parameters<typeof ruleOf>[1] & { level: Level },
  ) {
    const bases = versions.filter((text) => !text.includes("-") && (within === "" || satisfies(text, within ?? "")));
    const base = bases.toSorted(compare).at(-1);
    if (base === undefined && within !== "") return undefined;
    const target = targetRelease(base === undefined ? undefined : parseKnownVersion(base), ruleOf(level));
    if (within !== "" && !satisfies(target.text, within ?? "")) return undefined;
    return prerelease === "" ? target : trainVersion(target, prerelease ?? "", versions.length);
  }

  it("holds for every version that the rule leads to, and at no other level or label", () => {
    let led = 0;
    fc.assert(
      fc.property(fc.array(version(), { maxLength: 8 }), rule(), (versions, { level, within, prerelease }) => {
        let result: ReturnType<typeof resultOf>;
        const refusal = refusalOf(() => {
          result = resultOf(versions, { level, within, prerelease });
        });
        if (refusal !== undefined) {
          expect(refusal.reason).toBe("VERSION_OUT_OF_RANGE");
          return;
        }
        if (result === undefined) return;
        led += 1;
        const answer = result;
        const holdsAt = levels.filter((other) => mayResultIn(answer, ruleOf(other, { within, prerelease })));
        expect([answer.text, holdsAt]).toEqual([answer.text, [level]]);
        for (const other of prerelease === "" ? ["rc", "0"] : ["", `${prerelease}.0`, `a.${prerelease}`]) {
          expect(mayResultIn(answer, ruleOf(level, { within, prerelease: other }))).toBe(false);
        }
        expect(mayResultIn(answer, ruleOf(level, { within: "<0.0.0", prerelease }))).toBe(false);
      }),
      { numRuns: 4_000 },
    );
    expect(led).toBeGreaterThan(1_000);
  });

  it.each([
    ["0.0.0", Level.MAJOR, ""],
    ["1.3.0-rc", Level.MINOR, ""],
    ["1.3.0-rc.x", Level.MINOR, "rc"],
    ["1.3.0-rc.0", Level.MINOR, "rc"],
    ["1.3.0-rc.1.hotfix", Level.MINOR, "rc"],
  ])("is false for %s at level %i with label '%s', which no increment assigns", (text, level, prerelease) => {
    expect(mayResultIn(parseKnownVersion(text), ruleOf(level, { prerelease }))).toBe(false);
  });
});

describe("parseIncrement", () => {
  const advice = 'is no prerelease label; use identifiers of a-z, A-Z, 0-9 and "-", such as rc, at most 64 characters';
  const parseLabel = (prerelease: string) => (violations: Violations) =>
    parseIncrement(create(IncrementSchema, { level: Level.PATCH, prerelease }), "increment", violations);

  it.each([
    "rc",
    "RC",
    "0",
    "10",
    "-",
    "--1",
    "nightly.gpu",
    "rc.1",
    "0a",
    String(max),
    "a".repeat(64),
    `a${".a".repeat(31)}`,
  ])("takes the label %s", (label) => {
    expect(violationsOf(parseLabel(label))).toEqual([]);
    const version = trainVersion(parseKnownVersion("1.0.0"), label, 0);
    expect(version.text).toBe(`1.0.0-${label}.1`);
    expect(mayResultIn(version, ruleOf(Level.MAJOR, { prerelease: label }))).toBe(true);
  });

  it.each([
    "a".repeat(65),
    "rc_1",
    "rc..1",
    ".rc",
    "rc.",
    "01",
    "rc.01",
    "rc+1",
    "+",
    "rc 1",
    " rc",
    "rc\n",
    "é",
    String(max + 1),
    "\u0000",
  ])("refuses the label %j", (label) => {
    const violations = violationsOf(parseLabel(label));
    expect(violations).toMatchObject([{ field: "increment.prerelease", reason: "INVALID_FIELD" }]);
    expect(violations[0]?.description.endsWith(advice)).toBe(true);
  });

  it.each([Level.UNSPECIFIED, 4 as Level, -1 as Level])("refuses level %i", (level) => {
    const parse = (violations: Violations) =>
      parseIncrement(create(IncrementSchema, { level }), "increment", violations);
    expect(violationsOf(parse)).toEqual([
      {
        field: "increment.level",
        description: "is required; use LEVEL_MAJOR, LEVEL_MINOR or LEVEL_PATCH",
        reason: "INVALID_FIELD",
      },
    ]);
  });
});
