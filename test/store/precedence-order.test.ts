import fc from "fast-check";
import { sql } from "kysely";
import { compare } from "semver";
import { describe, expect, it } from "vitest";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { arbitraryVersion } from "../support/arbitrary-version.ts";
import { createTestDatabase } from "../support/test-database.ts";

// 64 versions make 2,016 pairs; the order is total, so that comparing neighbours after sorting decides them all.
const lists = fc.array(arbitraryVersion().map(parseKnownVersion), { minLength: 64, maxLength: 64 });

describe("precedence in Postgres", () => {
  it("is the order of SemVer for more than 100,000 pairs", async () => {
    await using test = await createTestDatabase();
    let pairs = 0;
    await fc.assert(
      fc.asyncProperty(lists, async (versions) => {
        const keys = versions.map((version) => Buffer.from(encodePrecedence(version)));
        const { rows } = await sql<{ place: number }>`
          select (place - 1)::integer as place
          from unnest(${keys}::bytea[]) with ordinality as given (key, place)
          order by key, place`.execute(test.database);
        const sorted = rows.map(({ place }) => versions[place]?.text ?? "");
        expect(sorted).toHaveLength(versions.length);
        for (const [index, text] of sorted.slice(1).entries()) {
          expect(compare(sorted[index] ?? "", text)).toBeLessThanOrEqual(0);
        }
        pairs += (versions.length * (versions.length - 1)) / 2;
      }),
      { numRuns: 60 },
    );
    expect(pairs).toBeGreaterThan(100_000);
  });
});
