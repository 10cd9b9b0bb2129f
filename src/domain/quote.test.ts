import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quote } from "./quote.ts";

describe("quote", () => {
  it.each([
    ["v1.0.0", '"v1.0.0"'],
    ['a"b\n', '"a\\"b\\n"'],
    ["\ufeff1.0.0", '"\\u{feff}1.0.0"'],
    ["1.0.0\u00a0", '"1.0.0\\u{a0}"'],
    ["e\u200bvil", '"e\\u{200b}vil"'],
    ["größe 名", '"größe 名"'],
    ["x".repeat(65), `"${"x".repeat(63)}…"`],
  ])("shows %j as %s", (text, shown) => {
    expect(quote(text)).toBe(shown);
  });

  it("shows nothing that cannot be seen, and is well-formed, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        expect(quote(text)).toMatch(/^[ \P{Z}]*$/u);
        expect(quote(text)).toMatch(/^\P{C}*$/u);
        expect(quote(text).isWellFormed()).toBe(true);
      }),
    );
  });
});
