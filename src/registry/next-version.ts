import { invalidField, invalidRequest, noBaseVersion } from "../domain/errors.ts";
import { type NumberRule, targetRelease, trainKeys, trainVersion } from "../domain/increment.ts";
import type { ModelName } from "../domain/model-name.ts";
import { decodePrecedence, encodePrecedence } from "../domain/precedence.ts";
import type { Version } from "../domain/version.ts";
import type { KeyInterval } from "../domain/version-range.ts";
import { everyRelease } from "../domain/version-selection.ts";
import type { Database } from "../store/database.ts";
import { findHighest } from "../store/model-version-store.ts";

/**
 * The number that the rule leads to from what is registered now. Somebody else may take it first.
 *
 * @throws RegistryError NO_BASE_VERSION, INVALID_REQUEST (the number is outside of the range), VERSION_OUT_OF_RANGE.
 */
export async function nextVersion(database: Database, model: ModelName, rule: NumberRule): Promise<Version> {
  const { within, prerelease } = rule;
  const base = await findHighestRelease(database, model, within?.intervals ?? everyRelease.intervals);
  if (within !== undefined && base === undefined) throw noBaseVersion(model, within.text);
  const target = targetRelease(base, rule);
  if (within !== undefined && !within.spans(target.text)) {
    const description = `leads from ${base?.text} to ${target.text}, outside of ${within.text}; use another level or range`;
    throw invalidRequest([invalidField("increment.level", description)]);
  }
  if (prerelease === undefined) return target;
  return trainVersion(target, prerelease, await findTrainEnd(database, model, trainKeys(target, prerelease)));
}

async function findHighestRelease(
  database: Database,
  model: ModelName,
  intervals: readonly KeyInterval[],
): Promise<Version | undefined> {
  for (const interval of intervals.toReversed()) {
    const release = await findReleaseIn(database, model, interval);
    if (release !== undefined) return release;
  }
  return undefined;
}

// A prerelease on top is no base; the search goes on below all prereleases of its major.minor.patch.
async function findReleaseIn(
  database: Database,
  model: ModelName,
  interval: KeyInterval,
): Promise<Version | undefined> {
  for (let { to } = interval; ; ) {
    const key = await findHighest(database, model, { from: interval.from, to });
    const version = key && decodePrecedence(key);
    if (version === undefined || version.prerelease.length === 0) return version;
    to = belowPrereleases(version);
  }
}

function belowPrereleases({ major, minor, patch }: Version): Uint8Array {
  const release = encodePrecedence({ text: "", major, minor, patch, prerelease: [] });
  return release.subarray(0, -1);
}

async function findTrainEnd(
  database: Database,
  model: ModelName,
  { from, to, depth }: ReturnType<typeof trainKeys>,
): Promise<number> {
  const key = await findHighest(database, model, { from, to });
  const number = key && decodePrecedence(key)?.prerelease[depth];
  return typeof number === "number" ? number : 0;
}
