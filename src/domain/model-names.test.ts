import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ModelNames, type NameInterval } from "./model-names.ts";

// Few letters, so that names and patterns often have a beginning in common; the first and the last of each kind, because
// the bounds of an interval lie beside them.
const text = fc.string({ unit: fc.constantFrom(..."a09z._-/"), maxLength: 4 });
const name = text.filter((value) => value !== "");
const pattern = fc.oneof(
  name,
  text.map((beginning) => `${beginning}*`),
);
const patterns = fc.array(pattern, { maxLength: 6 });

function isMatch(name: string, patterns: readonly string[]): boolean {
  return patterns.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
}

function isWithin(name: string, intervals: readonly NameInterval[]): boolean {
  return intervals.some(({ from, to }) => from <= name && name < to);
}

describe("ModelNames", () => {
  it("has exactly the names that a pattern stands for", () => {
    fc.assert(
      fc.property(patterns, fc.array(name), (patterns, names) => {
        const set = ModelNames.matching(patterns);
        expect(names.filter((each) => set.has(each))).toEqual(names.filter((each) => isMatch(each, patterns)));
      }),
    );
  });

  it("tells the names that begin with a prefix", () => {
    fc.assert(
      fc.property(patterns, text, fc.array(name), (patterns, prefix, names) => {
        const intervals = ModelNames.matching(patterns).beginningWith(prefix);
        const expected = names.filter((each) => each.startsWith(prefix) && isMatch(each, patterns));
        expect(names.filter((each) => isWithin(each, intervals))).toEqual(expected);
      }),
    );
  });

  it("tells them in disjoint intervals that are not empty, in their order", () => {
    fc.assert(
      fc.property(patterns, text, (patterns, prefix) => {
        const bounds = ModelNames.matching(patterns)
          .beginningWith(prefix)
          .flatMap(({ from, to }) => [from, to]);
        expect(bounds).toEqual([...new Set(bounds)].sort());
      }),
    );
  });

  it("is the same set whatever the order of the patterns, and however often each is there", () => {
    fc.assert(
      fc.property(patterns, (patterns) => {
        const again = [...patterns].reverse().concat(patterns);
        expect(ModelNames.matching(again).beginningWith("")).toEqual(ModelNames.matching(patterns).beginningWith(""));
      }),
    );
  });

  it("is empty without a pattern only", () => {
    fc.assert(fc.property(patterns, (patterns) => ModelNames.matching(patterns).isEmpty === (patterns.length === 0)));
  });

  it.each([
    ["a", ["a-", "a-b", "a.b", "a/b", "a0", "ab", "A", ""]],
    ["a/b", ["a", "a/", "a/a", "a/b/c", "a/b-c", "a/b0", "b"]],
  ])("does not take %s for another name that it begins, or that begins it", (pattern, others) => {
    const set = ModelNames.matching([pattern]);
    expect(set.has(pattern)).toBe(true);
    expect(others.filter((other) => set.has(other))).toEqual([]);
  });

  it("has every name by a star", () => {
    const names = ["a", "0", "z".repeat(255), "a/b", "z_z", "z--z", "z.z"];
    expect(names.every((each) => ModelNames.matching(["*"]).has(each) && ModelNames.all.has(each))).toBe(true);
    expect(ModelNames.matching(["a", "*", "b*"]).beginningWith("")).toEqual(ModelNames.all.beginningWith(""));
  });
});
