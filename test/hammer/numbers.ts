// What increments may lead to, derived from the words of docs/increments.md with npm's semver, apart from the code that
// assigns the numbers.

import { compare, compareBuild, SemVer, satisfies } from "semver";
import type { RequestedNumber } from "./history.ts";

/** What makes two versions one: everything but the build metadata. */
export function identityOf(version: string): string {
  return new SemVer(version).version;
}

/** Whether a call that asks for this number can have stored this version. */
export function canLeadTo(number: RequestedNumber, text: string): boolean {
  if (number.kind === "explicit") return number.version === text;
  const { major, minor, patch, prerelease } = new SemVer(text);
  const target = `${major}.${minor}.${patch}`;
  const level = patch > 0 ? "PATCH" : minor > 0 ? "MINOR" : "MAJOR";
  return (
    level === number.level &&
    prerelease.slice(0, -1).join(".") === (number.prerelease ?? "") &&
    (number.within === undefined || satisfies(target, number.within))
  );
}

/**
 * The numbers among the versions that nothing leads to, of a model that is asked for increments only. A release raises
 * one that was there before it, and nothing between the two is ever taken by another level; so it raises the release
 * just below it, or 0.0.0. A train leads to such a number, and its cars are counted from 1.
 */
export function findGaps(versions: readonly string[]): string[] {
  const sorted = versions.toSorted(compareBuild);
  const releases = sorted.filter((version) => new SemVer(version).prerelease.length === 0);
  const known = new Set(sorted);
  return sorted.filter((version) => !isLedTo(new SemVer(version), releases, known));
}

function isLedTo(version: SemVer, releases: readonly string[], known: ReadonlySet<string>): boolean {
  const target = `${version.major}.${version.minor}.${version.patch}`;
  if (!raisesOf(releaseBelow(target, releases)).includes(target)) return false;
  const { prerelease } = version;
  if (prerelease.length === 0) return true;
  const label = prerelease.slice(0, -1).join(".");
  const car = Number(prerelease.at(-1));
  return car === 1 || known.has(`${target}-${label}.${car - 1}`);
}

function raisesOf(release: string): string[] {
  const { major, minor, patch } = new SemVer(release);
  return [`${major + 1}.0.0`, `${major}.${minor + 1}.0`, `${major}.${minor}.${patch + 1}`];
}

/** By bisection in the sorted releases. */
function releaseBelow(target: string, releases: readonly string[]): string {
  let low = 0;
  let high = releases.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(releases[middle] ?? target, target) < 0) low = middle + 1;
    else high = middle;
  }
  return releases[low - 1] ?? "0.0.0";
}
