import { create, fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ListModelsRequestSchema, ModelSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { Policy } from "../../src/access/policy.ts";
import type { Caller } from "../../src/domain/caller.ts";
import { listModels } from "../../src/registry/list-models.ts";
import type { ListingPosition } from "../../src/registry/listing-pages.ts";

import { policyFile } from "../support/access-files.ts";
import { insertRows } from "../support/insert-rows.ts";
import { rowOf } from "../support/row.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { type GuardedService, startGuarded } from "../support/token-callers.ts";

// In the order of bytes; names that begin others, with every character that may follow.
const names = [
  ...["a", "a--b", "a-b", "a-b-c", "a.b", "a/b", "a/b-c", "a/b/c", "a/b0", "a0", "a__b", "a_b", "ab", "abc"],
  ...["b", "b/a", "b0", "z", "z/z", "zz"],
];

describe("ListModels of callers with other rights", () => {
  const readers: Readonly<Record<string, string[]>> = {
    all: ["*"],
    exact: ["a", "a/b", "zz", "not-there"],
    beginnings: ["a-*", "b*"],
    nested: ["a/b/*", "a/*", "a/b*", "a/b"],
    overlapping: ["a*", "ab*", "a", "b"],
    none: ["not/there*"],
  };
  const visible: Readonly<Record<string, string[]>> = {
    all: names,
    exact: ["a", "a/b", "zz"],
    beginnings: ["a--b", "a-b", "a-b-c", "b", "b/a", "b0"],
    nested: ["a/b", "a/b-c", "a/b/c", "a/b0"],
    overlapping: [...names.filter((name) => name.startsWith("a")), "b"],
    none: [],
  };
  let guarded: GuardedService;

  beforeAll(async () => {
    const rights = Object.entries(readers).map(([name, reads]) => [`token:${name}`, { reads }]);
    const registrar = { "token:registrar": { registers: ["*"] } };
    guarded = await startGuarded(
      ["registrar", ...Object.keys(readers)],
      policyFile({ ...Object.fromEntries(rights), ...registrar }),
    );
    for (const name of names) await guarded.as("registrar").registerBare(name, "1.0.0");
  });

  afterAll(async () => await guarded[Symbol.asyncDispose]());

  async function pagesOf(name: string, request: Parameters<ReturnType<GuardedService["as"]>["listModels"]>[0]) {
    const pages = await Array.fromAsync(guarded.as(name).listModels(request));
    return pages.map(({ models, nextPageToken }) => ({ names: models.map((model) => model.name), nextPageToken }));
  }

  async function list(name: string, request: Parameters<typeof pagesOf>[1]) {
    return (await pagesOf(name, request)).flatMap((page) => page.names);
  }

  it.each(Object.keys(readers))("has what %s may read, and nothing else", async (name) => {
    expect(await list(name, {})).toEqual(visible[name]);
    expect(await list(name, { pageSize: 1 })).toEqual(visible[name]);
    for (const prefix of ["a", "a/", "a/b", "a-", "b", "z", "zzz"]) {
      expect(await list(name, { prefix })).toEqual(visible[name]?.filter((each) => each.startsWith(prefix)));
    }
    for (const limit of [1, 2, 5]) expect(await list(name, { limit })).toEqual(visible[name]?.slice(0, limit));
  });

  it.each(Object.keys(readers))("goes on for %s by the tokens of somebody who may read everything", async (name) => {
    const pages = await pagesOf("all", { pageSize: 1 });
    for (const { names: listed, nextPageToken: pageToken } of pages.slice(0, -1)) {
      const rest = visible[name]?.filter((each) => each > (listed.at(-1) ?? ""));
      expect(await list(name, { pageToken })).toEqual(rest);
    }
  });

  it.each(Object.keys(readers))(
    "goes on for everybody by the tokens of %s, within what is left of a limit",
    async (name) => {
      const pages = await pagesOf(name, { pageSize: 1, limit: 4 });
      for (const [index, { names: listed, nextPageToken: pageToken }] of pages.entries()) {
        if (pageToken === "") continue;
        const rest = names.filter((each) => each > (listed.at(-1) ?? ""));
        expect(await list("all", { pageToken, limit: 4 })).toEqual(rest.slice(0, 3 - index));
      }
    },
  );
});

describe("ListModels by any policy", () => {
  let testDatabase: TestDatabase;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    await insertRows(
      testDatabase.database,
      names.map((name) => rowOf(name, "1.0.0")),
    );
  });

  afterAll(async () => await testDatabase[Symbol.asyncDispose]());

  const pattern = fc.constantFrom(...names).chain((name) =>
    fc.oneof(
      fc.constant(name),
      fc.nat({ max: name.length }).map((length) => `${name.slice(0, length)}*`),
    ),
  );
  const patterns = fc.array(pattern, { minLength: 1, maxLength: 5 });
  const prefix = fc.oneof(fc.constant(""), fc.constantFrom("a", "a/", "a/b", "a-", "b", "q", "z/z/z"));
  const limit = fc.oneof(fc.constant(0), fc.nat({ max: 25 }));
  const pageSize = fc.nat({ max: 8 });

  function callerWith(reads: readonly string[]): Caller {
    const content = policyFile({ "token:x": { reads: [...reads] } });
    return Policy.parse("policy.json", Buffer.from(JSON.stringify(content))).callerNamed("token:x");
  }

  function isReadable(name: string, reads: readonly string[]): boolean {
    return reads.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
  }

  async function listPages(
    reads: readonly string[],
    query: { prefix: string; limit: number; pageSize: number },
    start?: ListingPosition,
  ) {
    const request = create(ListModelsRequestSchema, query);
    const context = { caller: callerWith(reads), start, signal: new AbortController().signal };
    const pages: { names: string[]; next: ListingPosition | undefined }[] = [];
    for await (const { entries, next } of listModels(testDatabase.database, request, context)) {
      pages.push({ names: entries.map((bytes) => fromBinary(ModelSchema, bytes).name), next });
    }
    return pages;
  }

  it("has what a filter of all names has, also when anybody else goes on", async () => {
    const query = fc.record({ prefix, limit, pageSize });
    await fc.assert(
      fc.asyncProperty(patterns, patterns, query, fc.nat(), async (reads, others, query, at) => {
        const expected = (reads: readonly string[], after: string, limit: number) =>
          names
            .filter((name) => name > after && name.startsWith(query.prefix) && isReadable(name, reads))
            .slice(0, limit === 0 ? undefined : limit);
        const pages = await listPages(reads, query);
        expect(pages.flatMap((page) => page.names)).toEqual(expected(reads, "", query.limit));
        expect(pages.findIndex(({ next }) => next === undefined)).toBe(pages.length - 1);
        const { next } = pages[at % pages.length] ?? {};
        if (next === undefined) return;
        const after = Buffer.from(next.after).toString("latin1");
        const rest = await listPages(others, query, next);
        expect(rest.flatMap((page) => page.names)).toEqual(expected(others, after, next.remaining ?? 0));
      }),
      { numRuns: 200 },
    );
  });
});
