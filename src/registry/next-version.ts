import { invalidField, invalidRequest, noBaseVersion } from "../domain/errors.ts";
import { isWithin, type NumberRule, targetRelease, trainKeys, trainVersion } from "../domain/increment.ts";
import type { ModelName } from "../domain/model-name.ts";
import { decodePrecedence } from "../domain/precedence.ts";
import type { Version } from "../domain/version.ts";
import type { VersionSelection } from "../domain/version-range.ts";
import { everyRelease } from "../domain/version-selection.ts";
import type { Database } from "../store/database.ts";
import { findHighest } from "../store/model-version-store.ts";
import { findFirstVersion } from "./version-scan.ts";

/**
 * The number that the rule leads to from what is registered now. Somebody else may take it first.
 *
 * @throws RegistryError NO_BASE_VERSION, INVALID_REQUEST (the number is outside of the range), VERSION_OUT_OF_RANGE.
 */
export async function nextVersion(database: Database, model: ModelName, rule: NumberRule): Promise<Version> {
  const { within, prerelease } = rule;
  const base = await findHighestRelease(database, model, within ?? everyRelease);
  if (within !== undefined && base === undefined) throw noBaseVersion(model, within.text);
  const target = targetRelease(base, rule);
  if (within !== undefined && !isWithin(target, rule)) {
    const description = `leads from ${base?.text} to ${target.text}, outside of ${within.text}; use another level or range`;
    throw invalidRequest([invalidField("increment.level", description)]);
  }
  if (prerelease === undefined) return target;
  return trainVersion(target, prerelease, await findTrainEnd(database, model, trainKeys(target, prerelease)));
}

/** The highest release of a model among the selected versions. */
async function findHighestRelease(
  database: Database,
  model: ModelName,
  selection: VersionSelection,
): Promise<Version | undefined> {
  const scan = { model, selection, direction: "descending", columns: "number" } as const;
  const highest = await findFirstVersion(database, scan);
  return highest && decodePrecedence(highest.precedence);
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
