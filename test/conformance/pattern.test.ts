import { describe, expect, it } from "vitest";
import { findDifferences, findDifferencesWithin, type Names, substitute } from "./pattern.ts";

const digest = `sha256:${"0".repeat(64)}`;
const otherDigest = `sha256:${"1".repeat(64)}`;

describe("a pattern", () => {
  it("fits what is the same, and no other text, number, list or member", () => {
    const value = { a: "x", b: [1, { c: true }] };
    expect(findDifferences(value, structuredClone(value), new Map())).toEqual([]);
    expect(findDifferences(value, { a: "y", b: [1, { c: true }] }, new Map())).toEqual(['.a: expected "x", got "y"']);
    expect(findDifferences(value, { a: "x", b: [1, { c: false }] }, new Map())).toEqual([
      ".b[1].c: expected true, got false",
    ]);
    expect(findDifferences(value, { a: "x", b: [1] }, new Map())).toEqual([".b: expected 2 items, got 1"]);
    expect(findDifferences(value, { a: "x", b: [1, { c: true }], d: 1 }, new Map())).toEqual([
      ".d: expected nothing, got 1",
    ]);
    expect(findDifferences(value, { b: [1, { c: true }] }, new Map())).toEqual(['.a: expected "x", got nothing']);
  });

  it("takes by a name what it meets first, and wants the same from then on", () => {
    const names: Names = new Map();
    expect(findDifferences({ digest: "$digest" }, { digest }, names)).toEqual([]);
    expect(findDifferences({ digest: "$digest" }, { digest: otherDigest }, names)).toHaveLength(1);
    expect(findDifferences({ digest: "$digest2" }, { digest: otherDigest }, names)).toEqual([]);
  });

  it("takes by the name of a digest or of a time nothing else", () => {
    expect(findDifferences("$digest", "sha256:0", new Map())).toHaveLength(1);
    expect(findDifferences("$time", "yesterday", new Map())).toHaveLength(1);
    expect(findDifferences("$anything", undefined, new Map())).toHaveLength(1);
    expect(findDifferences("$anything", "", new Map())).toHaveLength(1);
  });

  it("holds one moment for the same however it is written", () => {
    const names: Names = new Map([["$time", "2026-11-24T10:00:00Z"]]);
    expect(findDifferences("$time", "2026-11-24T10:00:00.000Z", names)).toEqual([]);
    expect(findDifferences("$time", "2026-11-24T10:00:00.001Z", names)).toHaveLength(1);
  });

  it("looks only at the members that are expected where it is told so, and by null for those that must be absent", () => {
    expect(findDifferencesWithin({ a: 1 }, { a: 1, b: 2 }, new Map())).toEqual([]);
    expect(findDifferencesWithin({ a: null }, { b: 2 }, new Map())).toEqual([]);
    expect(findDifferencesWithin({ a: null }, { a: 2 }, new Map())).toEqual([".a: expected nothing, got 2"]);
    expect(findDifferencesWithin({ a: 1 }, {}, new Map())).toEqual([".a: expected 1, got nothing"]);
  });

  it("puts what is known in the place of its name, inside texts too", () => {
    const names: Names = new Map([["$model", "a/b"]]);
    expect(substitute({ model: "$model", list: ["$model@1", "$unknown"] }, names)).toEqual({
      model: "a/b",
      list: ["a/b@1", "$unknown"],
    });
  });
});
