// How the server derives the next number: from the highest release (within a range), never from a prerelease. A
// prerelease label makes it the next of the train that leads to that number.

import { type Increment, Level, Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { versionOutOfRange } from "./errors.ts";
import { encodePrecedence } from "./precedence.ts";
import { quote } from "./quote.ts";
import { parseVersion, type Version } from "./version.ts";
import { parseVersionRange, type VersionRange } from "./version-range.ts";
import { Violations } from "./violations.ts";

/** An Increment that keeps every rule. */
export interface NumberRule {
  readonly level: typeof Level.MAJOR | typeof Level.MINOR | typeof Level.PATCH;
  readonly within: VersionRange | undefined;
  /** The label of the train, such as rc; undefined for a release. */
  readonly prerelease: string | undefined;
}

/** The rule in a request, or undefined after adding what is wrong with the fields below `field`. */
export function parseIncrement(increment: Increment, field: string, violations: Violations): NumberRule | undefined {
  const level = parseLevel(increment.level, `${field}.level`, violations);
  const within = parseWithin(increment.within, `${field}.within`, violations);
  const prerelease =
    increment.prerelease === "" ? undefined : parseLabel(increment.prerelease, `${field}.prerelease`, violations);
  return level === undefined ? undefined : { level, within, prerelease };
}

// The base is a release.
function parseWithin(text: string, field: string, violations: Violations): VersionRange | undefined {
  return text === "" ? undefined : parseVersionRange(text, Prereleases.EXCLUDE, field, violations);
}

function parseLevel(level: Level, field: string, violations: Violations): NumberRule["level"] | undefined {
  const known = ([Level.MAJOR, Level.MINOR, Level.PATCH] as const).find((candidate) => candidate === level);
  if (known !== undefined) return known;
  violations.addInvalid(field, "is required; use LEVEL_MAJOR, LEVEL_MINOR or LEVEL_PATCH");
  return undefined;
}

// A label is whatever makes a prerelease of `label.1`; room is left for the numbers around it.
function parseLabel(label: string, field: string, violations: Violations): string | undefined {
  if (label.length <= 64 && parseVersion(`0.0.0-${label}.1`, "", new Violations())?.text === `0.0.0-${label}.1`) {
    if (!label.includes("+")) return label;
  }
  violations.addInvalid(
    field,
    `${quote(label)} is no prerelease label; use identifiers of a-z, A-Z, 0-9 and "-", such as rc, at most 64 characters`,
  );
  return undefined;
}

/** The release that the rule leads to: the base raised, or the first number where there is no base. */
export function targetRelease(base: Version | undefined, { level }: NumberRule): Version {
  const { major, minor, patch } = base ?? { major: 0, minor: 0, patch: 0 };
  switch (level) {
    case Level.MAJOR:
      return release(major + 1, 0, 0);
    case Level.MINOR:
      return release(major, minor + 1, 0);
    case Level.PATCH:
      return release(major, minor, patch + 1);
  }
}

/** The number of the train's next car: `TARGET-label.N`, N one more than the highest there is. */
export function trainVersion(target: Version, label: string, highest: number): Version {
  return versionOf(`${target.text}-${label}.${highest + 1}`);
}

/** The keys of the train `TARGET-label.N` for every number N, and the N of one of them. */
export function trainKeys(target: Version, label: string) {
  // A numeric identifier is 01 and its number (precedence.ts); everything before it is common to the train.
  const first = encodePrecedence(versionOf(`${target.text}-${label}.0`));
  const from = first.subarray(0, -1);
  const to = Uint8Array.from(from);
  to[to.length - 1] = 0x02;
  return { from, to, depth: label.split(".").length };
}

/** Whether a version may be the outcome of the rule: a repetition with the same request_id asks for the same rule. */
export function mayResultIn({ major, minor, patch, prerelease }: Version, rule: NumberRule): boolean {
  const isOfLevel = {
    [Level.MAJOR]: major > 0 && minor === 0 && patch === 0,
    [Level.MINOR]: minor > 0 && patch === 0,
    [Level.PATCH]: patch > 0,
  }[rule.level];
  const number = prerelease.at(-1);
  const isOfTrain =
    rule.prerelease === undefined
      ? number === undefined
      : typeof number === "number" && number > 0 && prerelease.slice(0, -1).join(".") === rule.prerelease;
  return isOfLevel && isOfTrain && isWithin(release(major, minor, patch), rule);
}

/** Whether the range of the rule holds the release. */
export function isWithin(release: Version, { within }: NumberRule): boolean {
  return within === undefined || within.selects(encodePrecedence(release));
}

function release(...numbers: [number, number, number]): Version {
  if (numbers.some((number) => number > Number.MAX_SAFE_INTEGER)) throw versionOutOfRange();
  return versionOf(numbers.join("."));
}

function versionOf(text: string): Version {
  const version = parseVersion(text, "", new Violations());
  if (version === undefined) throw versionOutOfRange();
  return version;
}
