// Writes test/api/range-corpus.json: ranges of every form of npm's grammar, sets of versions, and what npm's semver
// selects of each, so that a change of semver shows. Run it with `node tools/make-range-corpus.ts`, then
// `npm run format`.

import { writeFileSync } from "node:fs";
import { rcompare, satisfies } from "semver";

const sets: Readonly<Record<string, readonly string[]>> = {
  releases: [
    "0.0.1",
    "0.0.2",
    "0.1.0",
    "0.1.5",
    "0.2.0",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.2.3",
    "1.10.0",
    "2.0.0",
    "2.1.0",
    "3.0.0",
  ],
  mixed: [
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-rc.2",
    "1.0.0-rc.10",
    "1.0.0",
    "1.1.0-rc.1",
    "1.1.0",
    "1.2.3-beta",
    "1.2.3",
    "2.0.0-0",
    "2.0.0-rc.1",
    "2.0.0",
    "3.0.0-rc.1",
  ],
  prereleases: [
    "0.0.0-0",
    "0.1.0-alpha",
    "1.0.0-1",
    "1.0.0-rc",
    "1.2.3-rc.1",
    "1.2.3-rc.2",
    "1.3.0-beta.11",
    "2.0.0-x-y-z.0",
    "4.0.0-rc.1",
  ],
  extremes: [
    "0.0.0",
    "0.0.1",
    "1.0.9007199254740991",
    "1.9007199254740991.0",
    "9007199254740991.0.0",
    "9007199254740991.9007199254740991.9007199254740991",
  ],
};

const ranges = [
  "*",
  "x",
  "1",
  "1.x",
  "1.X.x",
  "1.2",
  "1.2.x",
  "1.2.3",
  "=1.2.3",
  "1.2.3-beta",
  "^0",
  "^0.0",
  "^0.0.1",
  "^0.1",
  "^0.1.0",
  "^1",
  "^1.2",
  "^1.2.3",
  "^1.2.3-beta",
  "^2.0.0-rc",
  "^3",
  "~0",
  "~0.1",
  "~1",
  "~1.2",
  "~1.2.3",
  "~1.2.3-beta",
  "~>1.0",
  "~2.0.0-0",
  ">1",
  ">=1",
  ">1.0.0",
  ">=1.0.0-rc.2",
  "<1",
  "<=1",
  "<1.0.0",
  "<=1.0.0-rc.2",
  "<2.0.0-0",
  ">=2.0.0-0",
  ">=1.0.0 <2.0.0",
  ">1.0.0-alpha <1.0.0",
  ">=1.0.0-alpha <=1.0.0-rc.2",
  ">1.2.3 <1.2.3",
  ">2 <1",
  "1.0.0 - 1.2.3",
  "1 - 2",
  "1.0 - 1.2",
  "1.0.0-rc.2 - 2.0.0-rc.1",
  "0.0.0 - 9007199254740991.0.0",
  "1.0.0 || 2.0.0",
  "<0.1 || >=2",
  "^0.1 || ^1.2 || 3.x",
  "1.0.0-rc || 1.2.3-rc.1",
  "1.x || 1.2.3-beta",
  "0.1.x || 0.1.0-alpha",
  ">=0.0.0",
  ">=0.0.0-0",
  "<0.0.0-0",
  "1.0.9007199254740991",
  ">=9007199254740991",
  "~1.9007199254740990",
];

const rules = ["UNSPECIFIED", "INCLUDE", "EXCLUDE"] as const;

function matchesOf(set: string, range: string, rule: (typeof rules)[number]): string[] {
  const versions = (sets[set] ?? []).filter((version) => rule !== "EXCLUDE" || !version.includes("-"));
  const options = { includePrerelease: rule === "INCLUDE" };
  return versions.filter((version) => satisfies(version, range, options)).toSorted(rcompare);
}

const cases = Object.keys(sets).flatMap((set) =>
  ranges.flatMap((range) => rules.map((rule) => [range, set, rule, matchesOf(set, range, rule)])),
);
const lines = cases.map((each) => `    ${JSON.stringify(each)}`).join(",\n");
const text = `{\n  "sets": ${JSON.stringify(sets)},\n  "cases": [\n${lines}\n  ]\n}\n`;
writeFileSync(new URL("../test/api/range-corpus.json", import.meta.url), text);
