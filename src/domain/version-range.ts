// A range in npm's grammar, as intervals of precedence keys. npm's semver parses it; it also takes an empty
// alternative for everything and a leading v, which are refused here: nothing means "latest" by accident. The intervals
// are where to look; the final word is semver's own test.

import { Range, SemVer } from "semver";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { encodePrecedence, firstReleaseKey, formatPrecedence } from "./precedence.ts";
import { quote } from "./quote.ts";
import { parseKnownVersion, type Version } from "./version.ts";
import type { Violations } from "./violations.ts";

/** A half-open stretch of precedence keys. */
export interface KeyInterval {
  /** The first key inside. */
  readonly from: Uint8Array;
  /** The first key beyond. */
  readonly to: Uint8Array;
}

/** A stretch of keys of which all releases are selected, and the prereleases too or none of them. */
export interface VersionInterval extends KeyInterval {
  readonly prereleases: boolean;
}

/** The stretch of all keys: each begins with a byte below FF (precedence.ts). */
export const everyKey: KeyInterval = { from: Buffer.alloc(0), to: Buffer.of(0xff) };

/** Some of a model's versions, selected by their numbers. */
export interface VersionSelection {
  /** What is selected is inside of these; they ascend and do not overlap. */
  readonly intervals: readonly VersionInterval[];
  /** The final word about a version inside an interval, by its key. */
  readonly selects: (key: Uint8Array) => boolean;
}

/** A range that keeps the grammar, under a rule about prereleases. */
export interface VersionRange extends VersionSelection {
  readonly text: string;
}

/** The longest range, in bytes. */
export const MAX_RANGE_BYTES = 512;

/** The range in `text`, or undefined after adding what is wrong with `field`. */
export function parseVersionRange(
  text: string,
  prereleases: Prereleases,
  field: string,
  violations: Violations,
): VersionRange | undefined {
  const mistake = findMistake(text);
  const range = mistake === undefined ? parse(text, prereleases) : undefined;
  if (range !== undefined) return range;
  violations.addInvalid(field, mistake ?? describeMistake(text));
  return undefined;
}

function describeMistake(text: string): string {
  if (/\d{16}/.test(text)) return `${quote(text)} reaches beyond the numbers of versions; stay below 9007199254740991`;
  return `${quote(text)} is no range; use npm's grammar, such as ^1.2 or >=1.0 <2.0`;
}

function findMistake(text: string): string | undefined {
  if (text === "") return "is required; give a range in npm's grammar, such as ^1.2, or * for every version";
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
function parse(text: string, prereleases: Prereleases): VersionRange | undefined {
  try {
    const options = { includePrerelease: prereleases === Prereleases.INCLUDE };
    const range = new Range(text, options);
    return {
      text,
      intervals: arrange(range.set.flatMap((bounds) => toIntervals(bounds, prereleases))),
      selects: (key) => {
        const version = new SemVer(formatPrecedence(key), options); // With other options it would be parsed again.
        return range.test(version) && (prereleases !== Prereleases.EXCLUDE || version.prerelease.length === 0);
      },
    };
  } catch {
    return undefined;
  }
}

type Comparators = Range["set"][number];

// By npm's rule a prerelease is selected where one of the bounds is a prerelease of the same major.minor.patch.
function toIntervals(comparators: Comparators, prereleases: Prereleases): VersionInterval[] {
  const between = toInterval(comparators);
  if (prereleases === Prereleases.INCLUDE) return nonEmpty({ ...between, prereleases: true });
  // Bounds that no release is between are one: 1.x || 2.x is an interval without a gap.
  const [from, to] = [firstReleaseKey(between.from), firstReleaseKey(between.to)];
  const releases = nonEmpty({ from, to, prereleases: false });
  if (prereleases === Prereleases.EXCLUDE) return releases;
  const named = boundsOf(comparators).filter(({ prerelease }) => prerelease.length > 0);
  const trains = named.map(trainOf).map(({ from, to }) => ({
    from: later(from, between.from),
    to: earlier(to, between.to),
    prereleases: true,
  }));
  return [...releases, ...trains.flatMap(nonEmpty)];
}

function toInterval(comparators: Comparators): KeyInterval {
  let { from, to } = everyKey;
  for (const { operator, semver } of comparators) {
    if (semver.version === undefined) continue; // ANY, the comparator of *
    const key = encodePrecedence(parseKnownVersion(semver.version));
    if (operator !== "<" && operator !== "<=") from = later(from, operator === ">" ? after(key) : key);
    if (operator !== ">" && operator !== ">=") to = earlier(to, operator === "<" ? key : after(key));
  }
  return { from, to };
}

function boundsOf(comparators: Comparators): Version[] {
  return comparators.flatMap(({ semver }) => (semver.version === undefined ? [] : [parseKnownVersion(semver.version)]));
}

/** The keys of a version's release and of all its prereleases, of which 0 is the lowest. */
function trainOf({ major, minor, patch }: Version): KeyInterval {
  const core = { text: "", major, minor, patch };
  const release = encodePrecedence({ ...core, prerelease: [] });
  return { from: encodePrecedence({ ...core, prerelease: [0] }), to: after(release) };
}

function nonEmpty(interval: VersionInterval): VersionInterval[] {
  return Buffer.compare(interval.from, interval.to) < 0 ? [interval] : [];
}

// Where intervals of both kinds overlap, prereleases are selected.
function arrange(intervals: readonly VersionInterval[]): VersionInterval[] {
  const whole = merge(intervals.filter(({ prereleases }) => prereleases));
  const releases = merge(intervals.filter(({ prereleases }) => !prereleases));
  return [...whole, ...subtract(releases, whole)].toSorted((a, b) => Buffer.compare(a.from, b.from));
}

function merge(intervals: readonly VersionInterval[]): VersionInterval[] {
  const merged: VersionInterval[] = [];
  for (const interval of intervals.toSorted((a, b) => Buffer.compare(a.from, b.from))) {
    const last = merged.at(-1);
    if (last === undefined || Buffer.compare(interval.from, last.to) > 0) merged.push(interval);
    else merged[merged.length - 1] = { ...last, to: later(last.to, interval.to) };
  }
  return merged;
}

/** What is left of the intervals outside of the holes; both ascend. */
function subtract(intervals: readonly VersionInterval[], holes: readonly KeyInterval[]): VersionInterval[] {
  return intervals.flatMap((interval) => {
    const rest: VersionInterval[] = [];
    let { from } = interval;
    for (const hole of holes) {
      rest.push(...nonEmpty({ ...interval, from, to: earlier(hole.from, interval.to) }));
      from = later(from, hole.to);
    }
    return [...rest, ...nonEmpty({ ...interval, from })];
  });
}

/** The first key after this one: no key goes on with 00 where another could end. */
export function after(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, Buffer.of(0)]);
}

/** The one of two keys that sorts last. */
export function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.compare(a, b) >= 0 ? a : b;
}

/** The one of two keys that sorts first. */
export function earlier(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.compare(a, b) <= 0 ? a : b;
}
