// Exactly SemVer 2.0.0, byte for byte, with two bounds: 128 bytes, and numeric identifiers up to 2^53-1.
// npm's semver decides the grammar, but it also takes a leading v and trims white space, a line break, a
// no-break space or a byte order mark; so what it understood is put together again and compared.

import { parse, type SemVer } from "semver";
import { quote } from "./quote.ts";
import { Violations } from "./violations.ts";

/** A semantic version as it was given, and its parts that decide precedence. */
export interface Version {
  /** The version as given, build metadata included. */
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Empty for a release. A number is a numeric identifier, compared by value. */
  readonly prerelease: readonly (string | number)[];
}

/** The longest version, in bytes. */
const MAX_VERSION_BYTES = 128;

/** The version in `text`, or undefined after adding what is wrong with `field`. */
export function parseVersion(text: string, field: string, violations: Violations): Version | undefined {
  const bounded = text.length <= MAX_VERSION_BYTES;
  const parsed = bounded ? parse(text) : null;
  if (parsed === null || textOf(parsed) !== text || hasExcessiveNumber(parsed)) {
    violations.addInvalid(field, describeMistake(text));
    return undefined;
  }
  const { major, minor, patch } = parsed;
  return { text, major, minor, patch, prerelease: parsed.prerelease.map(toIdentifier) };
}

/** The version in a text that was parsed before, such as that of a stored row; throws INVALID_REQUEST otherwise. */
export function parseKnownVersion(text: string): Version {
  const violations = new Violations();
  const version = parseVersion(text, "version", violations);
  if (version === undefined) throw violations.toError();
  return version;
}

function textOf({ version, build }: SemVer): string {
  return build.length === 0 ? version : `${version}+${build.join(".")}`;
}

// semver refuses larger numbers in major.minor.patch, but keeps those from 2^53-1 on in a prerelease as text.
function hasExcessiveNumber({ prerelease }: SemVer): boolean {
  return prerelease.some((identifier) => typeof toIdentifier(identifier) === "number" && isExcessive(identifier));
}

function toIdentifier(identifier: string | number): string | number {
  return typeof identifier === "string" && /^\d+$/.test(identifier) ? Number(identifier) : identifier;
}

function isExcessive(digits: string | number): boolean {
  return Number(digits) > Number.MAX_SAFE_INTEGER;
}

function describeMistake(text: string): string {
  if (text === "") return "is required; give a semantic version, such as 1.4.0";
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_VERSION_BYTES) return `has ${sizeBytes} bytes; a version has at most ${MAX_VERSION_BYTES}`;
  const hint = mistakes.find(([matches]) => matches(text))?.[1] ?? "use SemVer 2.0.0, such as 1.4.0 or 2.0.0-rc.1";
  return `${quote(text)} is not a semantic version; ${hint}`;
}

// The mistakes that people make, the first that fits is told. Each pattern is tried on at most 128 bytes.
const mistakes: readonly (readonly [(text: string) => boolean, string])[] = [
  [(text) => /\s/.test(text), "leave out the white space"],
  [(text) => /^[vV=]/.test(text), "leave out what stands before the first number"],
  [(text) => /^\d+(\.\d+)?([-+].*)?$/.test(text), "give all of major.minor.patch, such as 1.0.0"],
  [(text) => /^(\d+\.)*0\d/.test(text), "write numbers without leading zeros"],
  [(text) => /^[^+-]+-([^+]*\.)?0\d+([.+]|$)/.test(text), "write numbers without leading zeros"],
  [hasExcessiveDigits, "numbers go up to 9007199254740991 (2^53-1)"],
];

function hasExcessiveDigits(text: string): boolean {
  const [core = "", ...prerelease] = text.split("+", 1).join("").split("-");
  const identifiers = [...core.split("."), ...prerelease.join("-").split(".")];
  return identifiers.some((identifier) => /^\d+$/.test(identifier) && isExcessive(identifier));
}
