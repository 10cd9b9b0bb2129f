import { readFileSync } from "node:fs";
import fc from "fast-check";
import { maxSatisfying, rcompare, satisfies } from "semver";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryIdentifier } from "../support/arbitrary-version.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

interface Corpus {
  readonly sets: Readonly<Record<string, readonly string[]>>;
  /** Range, name of the set, rule about prereleases, every match from the highest down. */
  readonly cases: readonly (readonly [string, string, keyof typeof Prereleases, readonly string[]])[];
}

const corpus = JSON.parse(readFileSync(new URL("range-corpus.json", import.meta.url), "utf8")) as Corpus;

/** What npm's semver answers, one version after the other. */
function bruteForce(versions: readonly string[], range: string, prereleases: keyof typeof Prereleases): string[] {
  const options = { includePrerelease: prereleases === "INCLUDE" };
  const candidates = prereleases === "EXCLUDE" ? versions.filter((version) => !version.includes("-")) : versions;
  const matches = candidates.filter((version) => satisfies(version, range, options)).toSorted(rcompare);
  expect(maxSatisfying([...candidates], range, options)).toBe(matches[0] ?? null);
  return matches;
}

async function expectMatches(model: string, range: string, rule: keyof typeof Prereleases, matches: readonly string[]) {
  const prereleases = Prereleases[rule];
  expect(await service.client.listAll({ model, range, prereleases })).toEqual(matches);
  const call = service.client.get({ model, selector: { case: "range", value: range }, prereleases });
  if (matches.length > 0) return expect((await call)?.version).toBe(matches[0]);
  return expect(await errorOf(call)).toMatchObject({ reason: "VERSION_NOT_FOUND" });
}

describe("the corpus of ranges", () => {
  const models = new Map(Object.keys(corpus.sets).map((name) => [name, uniqueModel()]));

  beforeAll(async () => {
    for (const [name, versions] of Object.entries(corpus.sets)) {
      await Promise.all(versions.map((version) => service.client.registerBare(models.get(name) ?? "", version)));
    }
  });

  it("has hundreds of cases, most with matches, under every rule", () => {
    expect(corpus.cases.length).toBeGreaterThanOrEqual(300);
    expect(corpus.cases.filter(([, , , matches]) => matches.length > 0).length).toBeGreaterThan(150);
    expect(new Set(corpus.cases.map(([, , rule]) => rule)).size).toBe(3);
  });

  it("is what npm's semver answers", () => {
    for (const [range, set, rule, matches] of corpus.cases) {
      expect([range, set, rule, bruteForce(corpus.sets[set] ?? [], range, rule)]).toEqual([range, set, rule, matches]);
    }
  });

  it.each(corpus.cases)("%s of %s, prereleases %s: %j", async (range, set, rule, matches) => {
    await expectMatches(models.get(set) ?? "", range, rule, matches);
  });
});

describe("any range", () => {
  const number = fc.nat(3);
  const core = fc.tuple(number, number, number).map((numbers) => numbers.join("."));
  const identifier = fc.oneof({ arbitrary: fc.constantFrom("0", "1", "rc", "rc1"), weight: 5 }, arbitraryIdentifier());
  const tail = fc.array(identifier, { maxLength: 2 }).map((parts) => (parts.length === 0 ? "" : `-${parts.join(".")}`));
  const version = fc.tuple(core, tail).map((parts) => parts.join(""));
  const partial = fc.oneof(
    version,
    fc.constant("*"),
    number.map(String),
    fc.tuple(number, number).map((two) => two.join(".")),
  );
  const operator = fc.constantFrom("", "", "=", ">", ">=", "<", "<=", "^", "~");
  const comparators = fc
    .array(
      fc.tuple(operator, partial).map((parts) => parts.join("")),
      { minLength: 1, maxLength: 2 },
    )
    .map((all) => all.join(" "));
  const hyphen = fc.tuple(partial, partial).map((bounds) => bounds.join(" - "));
  const alternative = fc.oneof({ arbitrary: comparators, weight: 4 }, hyphen);
  const range = fc.array(alternative, { minLength: 1, maxLength: 3 }).map((all) => all.join(" || "));

  it("of any set of versions resolves and lists as semver does by brute force", async () => {
    let matched = 0;
    const versions = fc.uniqueArray(version, { minLength: 1, maxLength: 30, size: "max" });
    const property = fc.asyncProperty(
      versions,
      fc.array(range, { minLength: 6, maxLength: 6 }),
      async (set, ranges) => {
        const model = uniqueModel();
        await Promise.all(set.map((each) => service.client.registerBare(model, each)));
        for (const [index, text] of ranges.entries()) {
          const rule = (["UNSPECIFIED", "INCLUDE", "EXCLUDE"] as const)[index % 3] ?? "UNSPECIFIED";
          const matches = bruteForce(set, text, rule);
          matched += matches.length > 0 ? 1 : 0;
          await expectMatches(model, text, rule, matches);
        }
      },
    );
    await fc.assert(property, { numRuns: 80 });
    expect(matched).toBeGreaterThan(100);
  }, 120_000);
});
