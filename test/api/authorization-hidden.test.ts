// What a caller may not read looks like what is not there: the whole answers are compared, name by name.

import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type GetVersionRequestSchema,
  Level,
  ListVersionsRequestSchema,
  Order,
  Prereleases,
  type RegisterVersionRequestSchema,
  View,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { versionPageTokens } from "../../src/grpc/page-token.ts";
import { policyFile } from "../support/access-files.ts";
import { errorOf, type RpcError } from "../support/rpc-error.ts";
import type { SecureClient } from "../support/secure-service.ts";
import { uniqueModel } from "../support/test-service.ts";
import { type GuardedService, startGuarded } from "../support/token-callers.ts";

type Get = Omit<MessageInitShape<typeof GetVersionRequestSchema>, "model" | "$typeName">;
type List = Omit<MessageInitShape<typeof ListVersionsRequestSchema>, "model" | "$typeName">;
type Register = Omit<MessageInitShape<typeof RegisterVersionRequestSchema>, "model" | "metadata" | "$typeName">;

// Of one length, so that they are cut at the same place where they are long.
const hidden = "vault/hidden";
const missing = "vault/no-one";
const readable = "open/base";
const versions = ["1.0.0", "1.1.0", "2.0.0-rc.1"];

let guarded: GuardedService;

beforeAll(async () => {
  guarded = await startGuarded(
    ["admin", "reader", "both"],
    policyFile({
      "token:admin": { reads: ["*"], registers: ["*"] },
      "token:reader": { reads: ["open/*"] },
      "token:both": { reads: ["open/*"], registers: ["work*", "open/*"] },
    }),
  );
  for (const model of [hidden, readable]) {
    for (const version of versions) await guarded.as("admin").registerBare(model, version);
  }
});

afterAll(async () => await guarded[Symbol.asyncDispose]());

/** The whole error of a call about the model, which is called the same whichever it is. */
async function errorAbout(model: string, call: (model: string) => Promise<unknown>): Promise<RpcError> {
  return JSON.parse(JSON.stringify(await errorOf(call(model))).replaceAll(model, "the/model"));
}

/** Sees that the reader gets the same error for both models, and that it is the one everybody gets for a missing one. */
async function expectSame(call: (client: SecureClient, model: string) => Promise<unknown>): Promise<RpcError> {
  const error = await errorAbout(hidden, (model) => call(guarded.as("reader"), model));
  expect(error).toEqual(await errorAbout(missing, (model) => call(guarded.as("reader"), model)));
  expect(error).toEqual(await errorAbout(missing, (model) => call(guarded.as("admin"), model)));
  return error;
}

describe("GetVersion of a model that the caller may not read", () => {
  it.each<[string, Get]>([
    ["a version that is there", { selector: { case: "version", value: "1.0.0" } }],
    ["that version with build metadata", { selector: { case: "version", value: "1.0.0+x" } }],
    ["a version that is not there", { selector: { case: "version", value: "9.0.0" } }],
    ["a range that has versions", { selector: { case: "range", value: "^1" } }],
    ["a range that has none", { selector: { case: "range", value: "^9" } }],
    ["a range that has prereleases", { selector: { case: "range", value: "2.x" }, prereleases: Prereleases.INCLUDE }],
    [
      "a range without its prereleases",
      { selector: { case: "range", value: "2.x" }, prereleases: Prereleases.EXCLUDE },
    ],
  ])("answers as if it was missing: %s", async (_what, request) => {
    const error = await expectSame((client, model) => client.get({ model, ...request }));
    expect(error).toMatchObject({ code: "NOT_FOUND", reason: "MODEL_NOT_FOUND", metadata: { model: "the/model" } });
  });

  it.each<[string, Get]>([
    ["no selector", {}],
    ["a version that is none", { selector: { case: "version", value: "v1" } }],
    ["a range that is none", { selector: { case: "range", value: ">>1" } }],
    ["prereleases of an exact version", { selector: { case: "version", value: "1.0.0" }, prereleases: 1 }],
  ])("says what is wrong with the request as if it was missing: %s", async (_what, request) => {
    const error = await expectSame((client, model) => client.get({ model, ...request }));
    expect(error.reason).toBe("INVALID_REQUEST");
  });
});

describe("ListVersions of a model that the caller may not read", () => {
  it.each<[string, List]>([
    ["everything", {}],
    ["in the basic view", { view: View.BASIC }],
    ["lowest first", { order: Order.LOWEST_FIRST }],
    ["a range", { range: "^1" }],
    ["a range that has none", { range: "^9" }],
    ["a limit", { limit: 1, pageSize: 1 }],
    ["a filter that some versions match", { filter: 'version == "1.0.0"' }],
    ["a filter that none matches", { filter: 'metadata.labels["team"] == "vision"' }],
  ])("answers as if it was missing: %s", async (_what, request) => {
    const error = await expectSame((client, model) => client.listAll({ model, ...request }));
    expect(error).toMatchObject({ code: "NOT_FOUND", reason: "MODEL_NOT_FOUND", metadata: { model: "the/model" } });
  });

  it.each<[string, List]>([
    ["a filter that is none", { filter: "metadata.nothing ==" }],
    ["a filter of no such field", { filter: 'owner == "me"' }],
    ["a range that is none", { range: ">>1" }],
    ["a limit below zero", { limit: -1 }],
    ["a page token that is none", { pageToken: "AAAA" }],
  ])("says what is wrong with the request as if it was missing: %s", async (_what, request) => {
    const error = await expectSame((client, model) => client.listAll({ model, ...request }));
    expect(error.code).toBe("INVALID_ARGUMENT");
  });

  it.each<[string, List]>([
    ["as it was made", {}],
    ["with another page size", { pageSize: 2 }],
    ["with other arguments", { view: View.BASIC }],
  ])("answers as if it was missing to the page token of somebody who may read it: %s", async (_what, changed) => {
    const admin = guarded.as("admin");
    const [page] = await Array.fromAsync(admin.list({ model: hidden, pageSize: 1 }));
    const pageToken = page?.nextPageToken ?? "";
    const position = versionPageTokens.decode(create(ListVersionsRequestSchema, { model: hidden, pageToken }));
    if (position === undefined) throw new Error("the listing has one page only");
    const tokens = new Map([
      [hidden, pageToken],
      [missing, versionPageTokens.encoder(create(ListVersionsRequestSchema, { model: missing }))(position)],
    ]);
    const error = await expectSame((client, model) =>
      client.listAll({ model, pageToken: tokens.get(model) ?? "", ...changed }),
    );
    expect(error.reason).toBe("view" in changed ? "PAGE_TOKEN_MISMATCH" : "MODEL_NOT_FOUND");
  });
});

const explicit = { number: { case: "version", value: "1.0.0" } } as const satisfies Register;
const next = { number: { case: "increment", value: { level: Level.MINOR } } } as const satisfies Register;

describe("RegisterVersion with a dependency that the caller may not read", () => {
  const alone = (model: string) => [{ model, version: "1.0.0" }];
  const mixed = (model: string) => [
    { model: readable, version: "1.0.0" },
    { model, version: "1.1.0+build" },
    { model: readable, version: "7.0.0" },
    { model, version: "2.0.0-rc.1", relation: "teacher" },
  ];

  it.each<[string, (model: string) => { model: string; version: string }[], Register]>([
    ["an explicit version", alone, explicit],
    ["an increment", alone, next],
    ["what is only validated", alone, { ...explicit, validateOnly: true }],
    ["an increment that is only validated", alone, { ...next, validateOnly: true }],
    ["several dependencies", mixed, explicit],
    ["an increment with several", mixed, next],
    ["several, only validated", mixed, { ...explicit, validateOnly: true }],
    ["a request id", mixed, { ...explicit, requestId: randomUUID() }],
  ])("answers as if it was missing, also when asked again: %s", async (_what, dependenciesOn, request) => {
    const target = uniqueModel("work");
    const call = (model: string) =>
      guarded.as("both").register({ model: target, ...request, metadata: { dependencies: dependenciesOn(model) } });
    const error = await errorAbout(hidden, call);
    expect(error).toEqual(await errorAbout(missing, call));
    const subjects = dependenciesOn("the/model").map(({ model, version }) => `${model}@${version}`);
    const expected = subjects.filter((subject) => subject !== `${readable}@1.0.0`);
    expect(error).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "DEPENDENCY_NOT_FOUND",
      metadata: { dependency: expected[0], missing: String(expected.length) },
      preconditions: expected,
    });
    expect(await errorAbout(hidden, call)).toEqual(error);
    expect(await errorOf(guarded.as("admin").listAll({ model: target }))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  });

  it("does not find an earlier version of the very model that they may register but not read", async () => {
    const model = uniqueModel("work");
    await guarded.as("both").registerBare(model, "1.0.0");
    const dependencies = [{ model, version: "1.0.0" }];
    const number = { case: "version", value: "2.0.0" } as const;
    expect(await errorOf(guarded.as("both").register({ model, number, metadata: { dependencies } }))).toMatchObject({
      reason: "DEPENDENCY_NOT_FOUND",
      metadata: { dependency: `${model}@1.0.0`, missing: "1" },
    });
  });

  it("answers a repeated request as before, when the dependency may be read no more", async () => {
    const request = {
      model: uniqueModel("open/later"),
      requestId: randomUUID(),
      ...explicit,
      metadata: { dependencies: alone(hidden) },
    };
    const first = await guarded.as("admin").register(request);
    expect(await guarded.as("both").register(request)).toEqual(first);
    expect(await guarded.as("both").register({ ...request, validateOnly: true })).toMatchObject({ version: "1.0.0" });
  });

  it("finds what the caller may read", async () => {
    const dependencies = alone(readable);
    const answer = await guarded
      .as("both")
      .register({ model: uniqueModel("work"), ...explicit, metadata: { dependencies } });
    expect(answer?.metadata?.dependencies).toMatchObject(dependencies);
  });
});
