import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { isRelease } from "./precedence.ts";
import { everyKey, parseVersionRange, type VersionSelection } from "./version-range.ts";
import type { Violations } from "./violations.ts";

/** Every version of a model. */
export const everyVersion: VersionSelection = {
  intervals: [{ ...everyKey, prereleases: true }],
  selects: () => true,
};

/** Every version of a model that is no prerelease. */
export const everyRelease: VersionSelection = {
  intervals: [{ ...everyKey, prereleases: false }],
  selects: isRelease,
};

/** The selection that a listing asks for; undefined after adding what is wrong with `range` or `prereleases`. */
export function parseVersionSelection(
  request: { readonly range: string; readonly prereleases: Prereleases },
  violations: Violations,
): VersionSelection | undefined {
  const prereleases = parsePrereleases(request.prereleases, violations);
  if (request.range === "") return prereleases === Prereleases.EXCLUDE ? everyRelease : everyVersion;
  return parseVersionRange(request.range, prereleases, "range", violations);
}

/** The rule about prereleases, or the default after adding what is wrong with it. */
export function parsePrereleases(value: Prereleases, violations: Violations): Prereleases {
  if (rules.includes(value)) return value;
  violations.addInvalid("prereleases", `${value} is no Prereleases; use one of the proto`);
  return Prereleases.UNSPECIFIED;
}

const rules: readonly Prereleases[] = Object.values(Prereleases);
