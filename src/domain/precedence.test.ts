import fc from "fast-check";
import { compare } from "semver";
import { expect, test } from "vitest";
import { arbitraryPrecedence, arbitraryVersion, arbitraryVersionPair } from "../../test/support/arbitrary-version.ts";
import { decodePrecedence, encodePrecedence, MAX_PRECEDENCE_BYTES } from "./precedence.ts";
import { parseVersion } from "./version.ts";
import { Violations } from "./violations.ts";

function keyOf(text: string): Uint8Array {
  const version = parseVersion(text, "version", new Violations());
  if (version === undefined) throw new Error(`${text} is no version`);
  return encodePrecedence(version);
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}

// Keys are stored for ever: these bytes never change.
test.each([
  ["0.0.0", "00000002"],
  ["1.2.3", "01020302"],
  ["1.2.3+build.7", "01020302"],
  ["1.2.3-rc", "0102030102726300"],
  ["1.2.3-rc.1", "01020301027263000101"],
  ["1.2.3-rc1", "010203010272633100"],
  ["1.2.3-1", "010203010101"],
  ["239.240.255", "eff0f0f0ff02"],
  ["256.65535.65536", "f10100f1fffff201000002"],
  ["16777215.16777216.4294967295", "f2fffffff301000000f3ffffffff02"],
  ["4294967296.0.9007199254740991", "f4010000000000f61fffffffffffff02"],
  ["0.0.0--.0.-1", "00000001022d000100022d3100"],
])("encodes %s", (text, key) => {
  expect(hex(keyOf(text))).toBe(key);
});

test("orders the versions of the specification's example", () => {
  const ascending = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
  ];
  const shuffled = ascending.toSorted((a, b) => (a < b ? 1 : -1));
  expect(shuffled.toSorted((a, b) => Buffer.compare(keyOf(a), keyOf(b)))).toEqual(ascending);
});

test("orders any two versions as semver does", () => {
  fc.assert(
    fc.property(arbitraryVersionPair(), ([left, right]) => {
      const order = Buffer.compare(keyOf(left), keyOf(right));
      if (order !== compare(left, right) || Buffer.compare(keyOf(right), keyOf(left)) !== -order) {
        throw new Error(`${left} and ${right}: ${order}`);
      }
    }),
    { numRuns: 150_000 },
  );
});

test("is transitive", () => {
  fc.assert(
    fc.property(fc.array(arbitraryVersion(), { minLength: 3, maxLength: 20 }), (versions) => {
      const byKey = versions.toSorted((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
      for (const [index, version] of byKey.entries()) {
        for (const higher of byKey.slice(index)) expect(compare(version, higher)).toBeLessThanOrEqual(0);
      }
    }),
    { numRuns: 500 },
  );
});

test("reads a key back as the version without build metadata", () => {
  fc.assert(
    fc.property(arbitraryPrecedence(), (text) => {
      expect(decodePrecedence(keyOf(text))?.text).toBe(text);
      expect(decodePrecedence(keyOf(text.length < 120 ? `${text}+build.1` : text))?.text).toBe(text);
    }),
    { numRuns: 20_000 },
  );
});

test("never reads bytes that are not the key of the version it answers", () => {
  const damaged = fc
    .tuple(arbitraryPrecedence(), fc.nat(), fc.nat(255), fc.constantFrom("change", "insert", "remove", "cut"))
    .map(([text, at, byte, damage]) => {
      const bytes = [...keyOf(text)];
      const position = at % bytes.length;
      const change = { change: [1, [byte]], insert: [0, [byte]], remove: [1, []], cut: [bytes.length, []] } as const;
      bytes.splice(position, change[damage][0], ...change[damage][1]);
      return Uint8Array.from(bytes);
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 12 })), (bytes) => {
      const version = decodePrecedence(bytes);
      if (version !== undefined) expect(hex(encodePrecedence(version))).toBe(hex(bytes));
    }),
    { numRuns: 50_000 },
  );
});

test.each([
  ["nothing", ""],
  ["an incomplete core", "0102"],
  ["no end of the core", "010203"],
  ["an unknown end of the core", "01020303"],
  ["a release with more behind it", "0102030200"],
  ["a prerelease without identifiers", "01020301"],
  ["text without its end", "01020301027263"],
  ["an empty identifier", "010203010200"],
  ["digits as text", "010203010231"],
  ["digits as text with its end", "01020301023100"],
  ["a dot in an identifier", "0102030102612e6200"],
  ["a plus in an identifier", "0102030102612b6200"],
  ["a character that no identifier has", "0102030102c3a900"],
  ["an unknown kind of identifier", "01020301030100"],
  ["a small number in two bytes", "f001020302"],
  ["a number with a leading zero", "f100f0020302"],
  ["a number beyond 2^53-1", "f620000000000000020302"],
  ["a number of sixteen bytes", `ff${"01".repeat(16)}020302`],
  ["a number that is cut off", "f101"],
])("refuses %s", (_name, key) => {
  expect(decodePrecedence(Buffer.from(key, "hex"))).toBeUndefined();
});

test("takes 188 bytes for the longest key, and refuses a longer one", () => {
  const longest = `0.0.0-${"a.".repeat(60)}aa`;
  expect(longest).toHaveLength(128);
  expect(keyOf(longest)).toHaveLength(188);
  expect(MAX_PRECEDENCE_BYTES).toBe(188);
  expect(decodePrecedence(keyOf(longest))?.text).toBe(longest);
  expect(decodePrecedence(Buffer.concat([keyOf(longest), Buffer.of(0x01, 0x01)]))).toBeUndefined();
});

test("never takes more than 188 bytes", () => {
  const dense = fc
    .array(fc.constantFrom("a", "-", "0", "240", "aa"), { maxLength: 70 })
    .map((identifiers) => `0.0.0-${["a", ...identifiers].join(".")}`.slice(0, 128).replace(/\.$/, ""));
  fc.assert(
    fc.property(fc.oneof(arbitraryVersion(), dense), (text) => {
      expect(keyOf(text).length).toBeLessThanOrEqual(MAX_PRECEDENCE_BYTES);
    }),
    { numRuns: 10_000 },
  );
});
