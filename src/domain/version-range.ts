// A range in npm's grammar, as intervals of precedence keys. npm's semver parses it; it also takes an empty
// alternative for everything and a leading v, which are refused here: nothing means "latest" by accident.

import { Range } from "semver";
import { quote } from "./errors.ts";
import { encodePrecedence } from "./precedence.ts";
import { parseKnownVersion } from "./version.ts";
import type { Violations } from "./violations.ts";

/** A half-open stretch of precedence keys. */
export interface KeyInterval {
  /** The first key inside. */
  readonly from: Uint8Array;
  /** The first key beyond. */
  readonly to: Uint8Array;
}

/** The stretch of all keys: each begins with a byte below FF (precedence.ts). */
export const everyKey: KeyInterval = { from: Buffer.alloc(0), to: Buffer.of(0xff) };

/** A range that keeps the grammar. */
export interface VersionRange {
  readonly text: string;
  /** Whether a release or prerelease is spanned, npm's rule about prereleases left aside. */
  readonly spans: (version: string) => boolean;
  /**
   * Outside of these no version satisfies the range; inside, all do but prereleases that npm's rule excludes. They
   * ascend and do not touch.
   */
  readonly intervals: readonly KeyInterval[];
}

/** The longest range, in bytes. */
export const MAX_RANGE_BYTES = 512;

/** The range in `text`, or undefined after adding what is wrong with `field`. */
export function parseVersionRange(text: string, field: string, violations: Violations): VersionRange | undefined {
  const mistake = findMistake(text);
  const range = mistake === undefined ? parse(text) : undefined;
  if (range !== undefined) return range;
  violations.addInvalid(field, mistake ?? `${quote(text)} is no range; use npm's grammar, such as ^1.2 or >=1.0 <2.0`);
  return undefined;
}

function findMistake(text: string): string | undefined {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_RANGE_BYTES) return `has ${sizeBytes} bytes; a range has at most ${MAX_RANGE_BYTES}`;
  if (/[^ -~]/.test(text)) return `${quote(text)} has characters that no range has; use spaces and ASCII`;
  if (text.split("||").some((alternative) => /^ *(\+\S*)? *$/.test(alternative))) {
    return `${quote(text)} has an empty alternative; write * for every version`;
  }
  if (/(^|[\s|<>=~^])v/i.test(text)) return `${quote(text)} has a v before a number; leave it out`;
  return undefined;
}

// npm's parser throws at a text that is no range, and at bounds beyond 2^53-1; ours at a bound that no version can be.
function parse(text: string): VersionRange | undefined {
  try {
    const intervals = merge(new Range(text).set.map(toInterval).filter((interval) => interval !== undefined));
    const spanning = new Range(text, { includePrerelease: true });
    return { text, spans: (version) => spanning.test(version), intervals };
  } catch {
    return undefined;
  }
}

type Comparators = Range["set"][number];

// Undefined where the bounds leave nothing.
function toInterval(comparators: Comparators): KeyInterval | undefined {
  let { from, to } = everyKey;
  for (const { operator, semver } of comparators) {
    if (semver.version === undefined) continue; // ANY, the comparator of *
    const key = encodePrecedence(parseKnownVersion(semver.version));
    if (operator !== "<" && operator !== "<=") from = later(from, operator === ">" ? after(key) : key);
    if (operator !== ">" && operator !== ">=") to = earlier(to, operator === "<" ? key : after(key));
  }
  return Buffer.compare(from, to) < 0 ? { from, to } : undefined;
}

function merge(intervals: readonly KeyInterval[]): KeyInterval[] {
  const merged: KeyInterval[] = [];
  for (const interval of intervals.toSorted((a, b) => Buffer.compare(a.from, b.from))) {
    const last = merged.at(-1);
    if (last === undefined || Buffer.compare(interval.from, last.to) > 0) merged.push(interval);
    else merged[merged.length - 1] = { from: last.from, to: later(last.to, interval.to) };
  }
  return merged;
}

/** The first key after this one: no key goes on with 00 where another could end. */
function after(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, Buffer.of(0)]);
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.compare(a, b) >= 0 ? a : b;
}

function earlier(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.compare(a, b) <= 0 ? a : b;
}
