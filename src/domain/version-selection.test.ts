import { describe, expect, it } from "vitest";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { encodePrecedence } from "./precedence.ts";
import { parseKnownVersion } from "./version.ts";
import type { VersionSelection } from "./version-range.ts";
import { parseVersionSelection } from "./version-selection.ts";
import { Violations } from "./violations.ts";

const versions = ["0.9.0", "1.0.0-rc.1", "1.0.0", "1.1.0-rc.1", "2.0.0"];

function selected({ intervals, selects }: VersionSelection): string[] {
  return versions.filter((version) => {
    const parsed = parseKnownVersion(version);
    const key = encodePrecedence(parsed);
    const interval = intervals.find(({ from, to }) => Buffer.compare(from, key) <= 0 && Buffer.compare(key, to) < 0);
    const isInside = interval !== undefined && (interval.prereleases || parsed.prerelease.length === 0);
    expect(selects(key) && isInside).toBe(selects(key));
    return isInside && selects(key);
  });
}

describe("parseVersionSelection", () => {
  it.each([
    ["", Prereleases.UNSPECIFIED, versions],
    ["", Prereleases.INCLUDE, versions],
    ["", Prereleases.EXCLUDE, ["0.9.0", "1.0.0", "2.0.0"]],
    ["*", Prereleases.UNSPECIFIED, ["0.9.0", "1.0.0", "2.0.0"]],
    ["*", Prereleases.INCLUDE, versions],
    ["*", Prereleases.EXCLUDE, ["0.9.0", "1.0.0", "2.0.0"]],
    ["^1.0.0-rc", Prereleases.UNSPECIFIED, ["1.0.0-rc.1", "1.0.0"]],
    ["^1.0.0-rc", Prereleases.INCLUDE, ["1.0.0-rc.1", "1.0.0", "1.1.0-rc.1"]],
    ["^1.0.0-rc", Prereleases.EXCLUDE, ["1.0.0"]],
    ["1.x", Prereleases.UNSPECIFIED, ["1.0.0"]],
    ["1.x", Prereleases.INCLUDE, ["1.0.0-rc.1", "1.0.0", "1.1.0-rc.1"]],
  ] as const)("of range %j with prereleases %s selects %j", (range, prereleases, expected) => {
    const selection = parseVersionSelection({ range, prereleases }, new Violations());
    expect(selection && selected(selection)).toEqual(expected);
  });

  it("tells what is wrong with both fields", () => {
    const request = { range: "v1", prereleases: 9 as Prereleases };
    expect(violationsOf((violations) => parseVersionSelection(request, violations))).toEqual([
      { field: "prereleases", description: "9 is no Prereleases; use one of the proto", reason: "INVALID_FIELD" },
      { field: "range", description: '"v1" has a v before a number; leave it out', reason: "INVALID_FIELD" },
    ]);
  });
});
