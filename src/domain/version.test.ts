import fc from "fast-check";
import { expect, test } from "vitest";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { quote } from "./quote.ts";
import { parseVersion } from "./version.ts";
import { Violations } from "./violations.ts";

// The regular expression that semver.org recommends.
const specification =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

test.each([
  ["0.0.0", { major: 0, minor: 0, patch: 0, prerelease: [] }],
  ["1.2.3-rc.1+build.007", { major: 1, minor: 2, patch: 3, prerelease: ["rc", 1] }],
  ["1.0.0-0", { major: 1, minor: 0, patch: 0, prerelease: [0] }],
  ["1.0.0-a-01.-.0b", { major: 1, minor: 0, patch: 0, prerelease: ["a-01", "-", "0b"] }],
  ["1.0.0+01", { major: 1, minor: 0, patch: 0, prerelease: [] }],
  ["1.0.0+9007199254740993", { major: 1, minor: 0, patch: 0, prerelease: [] }],
  ["1.0.0-a9007199254740993", { major: 1, minor: 0, patch: 0, prerelease: ["a9007199254740993"] }],
  [
    "9007199254740991.9007199254740991.9007199254740991-9007199254740991",
    {
      major: Number.MAX_SAFE_INTEGER,
      minor: Number.MAX_SAFE_INTEGER,
      patch: Number.MAX_SAFE_INTEGER,
      prerelease: [Number.MAX_SAFE_INTEGER],
    },
  ],
])("reads %s", (text, parts) => {
  expect(parseVersion(text, "version", new Violations())).toEqual({ text, ...parts });
});

test("accepts 128 bytes", () => {
  const text = `1.0.0+${"a".repeat(122)}`;
  expect(parseVersion(text, "version", new Violations())).toMatchObject({ text });
});

const semantic = "is not a semantic version; ";
const whiteSpace = `${semantic}leave out the white space`;
const prefix = `${semantic}leave out what stands before the first number`;
const missing = `${semantic}give all of major.minor.patch, such as 1.0.0`;
const zeros = `${semantic}write numbers without leading zeros`;
const tooBig = `${semantic}numbers go up to 9007199254740991 (2^53-1)`;
const other = `${semantic}use SemVer 2.0.0, such as 1.4.0 or 2.0.0-rc.1`;

test.each([
  [" 1.0.0", whiteSpace],
  ["1.0.0 ", whiteSpace],
  ["1.0.0\n", whiteSpace],
  ["\u00a01.0.0", whiteSpace],
  ["\ufeff1.0.0", whiteSpace],
  ["v1.0.0", prefix],
  ["V1.0.0", prefix],
  ["=1.0.0", prefix],
  ["1", missing],
  ["1.0", missing],
  ["1.0-rc.1", missing],
  ["1.0+b", missing],
  ["01.0.0", zeros],
  ["1.00.0", zeros],
  ["1.0.01", zeros],
  ["1.0.0-01", zeros],
  ["1.0.0-rc.01", zeros],
  ["1.0.0-rc.01+b", zeros],
  ["9007199254740992.0.0", tooBig],
  ["0.9007199254740992.0", tooBig],
  ["0.0.9007199254740993", tooBig],
  ["1.0.0-9007199254740992", tooBig],
  ["1.0.0-rc.9007199254740993+b", tooBig],
  ["1.0.0-rc.99999999999999999999999999", tooBig],
  ["1.0.0-", other],
  ["1.0.0+", other],
  ["1.0.0-a..b", other],
  ["1.0.0-é", other],
  ["1.0.0-a_b", other],
  ["1.0.0+a+b", other],
  ["1.0.0.0", other],
  ["1.0.0\u0000", other],
  ["latest", other],
  ["-1.0.0", other],
])("rejects %j", (text, description) => {
  expect(violationsOf((violations) => parseVersion(text, "version", violations))).toEqual([
    { field: "version", description: `${quote(text)} ${description}`, reason: "INVALID_FIELD" },
  ]);
});

test.each([
  ["", "is required; give a semantic version, such as 1.4.0"],
  [`1.0.0+${"a".repeat(123)}`, "has 129 bytes; a version has at most 128"],
  [`1.0.0-${"é".repeat(122)}`, "has 250 bytes; a version has at most 128"],
  [`1.0.0-${"a".repeat(300)}`, "has 306 bytes; a version has at most 128"],
])("tells what is wrong with %j", (text, description) => {
  const field = "metadata.dependencies[0].version";
  expect(violationsOf((violations) => parseVersion(text, field, violations))).toEqual([
    { field, description, reason: "INVALID_FIELD" },
  ]);
});

test("accepts exactly what the specification's own expression accepts", () => {
  const nearly = fc
    .tuple(arbitraryVersion(), fc.nat(), fc.constantFrom("", "0", ".", "-", "+", "v", " ", "01", "é", "\n"), fc.nat(2))
    .map(([version, at, inserted, removed]) => {
      const position = at % (version.length + 1);
      return version.slice(0, position) + inserted + version.slice(position + removed);
    });
  fc.assert(
    fc.property(fc.oneof(arbitraryVersion(), nearly), (text) => {
      const accepted = parseVersion(text, "version", new Violations()) !== undefined;
      expect(accepted).toBe(isSpecified(text));
    }),
    { numRuns: 20_000 },
  );
});

function isSpecified(text: string): boolean {
  const match = specification.exec(text);
  if (match === null || text.length > 128) return false;
  const numbers = [
    ...match.slice(1, 4),
    ...(match[4] ?? "").split(".").filter((identifier) => /^\d+$/.test(identifier)),
  ];
  return numbers.every((digits) => BigInt(digits ?? "") <= 2n ** 53n - 1n);
}
