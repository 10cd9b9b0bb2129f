import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prereleases } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

const { UNSPECIFIED, INCLUDE, EXCLUDE } = Prereleases;
const versions = ["0.9.0", "1.0.0", "1.2.0+build.7", "1.3.0-rc.1", "2.0.0-beta", "2.0.0-rc.1", "3.1.4", "4.0.0-rc.1"];
const model = uniqueModel();

let service: TestService;

beforeAll(async () => {
  service = await useService();
  for (const version of versions) await service.client.registerBare(model, version);
});

afterAll(async () => await service[Symbol.asyncDispose]());

async function resolve(range: string, prereleases: Prereleases = UNSPECIFIED): Promise<string | undefined> {
  return (await service.client.get({ model, selector: { case: "range", value: range }, prereleases }))?.version;
}

describe("GetVersion by range", () => {
  it.each([
    ["*", UNSPECIFIED, "3.1.4"],
    ["*", EXCLUDE, "3.1.4"],
    ["*", INCLUDE, "4.0.0-rc.1"],
    ["^1", UNSPECIFIED, "1.2.0+build.7"],
    ["^1", INCLUDE, "1.3.0-rc.1"],
    ["<1", UNSPECIFIED, "0.9.0"],
    ["^2.0.0-beta", UNSPECIFIED, "2.0.0-rc.1"],
    ["2.0.0-beta", UNSPECIFIED, "2.0.0-beta"],
    ["^2.0.0-beta", INCLUDE, "2.0.0-rc.1"],
    ["<=1.0.0 || 2.0.0-beta || 0.x", UNSPECIFIED, "2.0.0-beta"],
    [">=1.0.0-rc <4.0.0-rc.0", UNSPECIFIED, "3.1.4"],
    ["1.0.0 - 2.0.0", INCLUDE, "2.0.0-rc.1"],
  ])("of %s with prereleases %i answers the highest match, %s%s", async (range, prereleases, expected) => {
    expect(await resolve(range, prereleases)).toBe(expected);
  });

  it("answers the record that an exact read answers", async () => {
    const byRange = await service.client.get({ model, selector: { case: "range", value: "~1.2" } });
    expect(byRange).toEqual(await service.client.getExact(model, "1.2.0"));
  });

  it("tells what came nearest when nothing matches", async () => {
    expect(await errorOf(resolve("^2.0"))).toEqual({
      code: "NOT_FOUND",
      message:
        `model "${model}" has no version in "^2.0"; ` +
        "nearest are 1.2.0+build.7 and 3.1.4; 2.0.0-rc.1 matches with PRERELEASES_INCLUDE",
      reason: "VERSION_NOT_FOUND",
      domain: "stele",
      metadata: {
        model,
        range: "^2.0",
        nearest_below: "1.2.0+build.7",
        nearest_above: "3.1.4",
        nearest_prerelease: "2.0.0-rc.1",
      },
      violations: [],
      resource: `stele.v1.ModelVersion ${model}@^2.0`,
      retryDelayMs: undefined,
    });
  });

  it.each([
    ["<0.9", UNSPECIFIED, "nearest is 0.9.0"],
    [">=5", UNSPECIFIED, "nearest is 3.1.4"],
    [">=5", INCLUDE, "nearest is 4.0.0-rc.1"],
    ["^1.2.5", INCLUDE, undefined],
    [">=1.2.1 <1.3.0-rc", EXCLUDE, "nearest are 1.2.0+build.7 and 3.1.4"],
    ["1.1.0 || 2.5.0", UNSPECIFIED, "nearest is 1.2.0+build.7"],
    ["1.1.0 || 3.5.0", UNSPECIFIED, "nearest are 3.1.4 and 1.2.0+build.7"],
    [">=1.3.0-rc.2 <2", UNSPECIFIED, "nearest are 1.3.0-rc.1 and 2.0.0-beta"],
    ["2.0.0-beta.5", UNSPECIFIED, "nearest are 2.0.0-beta and 2.0.0-rc.1"],
    ["^4", EXCLUDE, "nearest is 3.1.4; 4.0.0-rc.1 matches with PRERELEASES_INCLUDE"],
    [">2 <1", UNSPECIFIED, "widen the range; ListVersions shows the versions"],
  ])("says about %s with prereleases %i: %s", async (range, prereleases, advice) => {
    if (advice === undefined) return expect(await resolve(range, prereleases)).toBe("1.3.0-rc.1");
    const { message } = await errorOf(resolve(range, prereleases));
    return expect(message).toBe(`model "${model}" has no version in "${range}"; ${advice}`);
  });

  it("tells an unknown model", async () => {
    const call = service.client.get({ model: uniqueModel(), selector: { case: "range", value: "*" } });
    expect(await errorOf(call)).toMatchObject({ code: "NOT_FOUND", reason: "MODEL_NOT_FOUND" });
  });

  it.each([
    ["", /^range: is required; give a range/],
    ["latest", /^range: "latest" is no range/],
    ["v1", /^range: "v1" has a v before a number/],
    ["1 ||", /^range: "1 \|\|" has an empty alternative/],
  ])("refuses %j", async (range, violation) => {
    expect(await errorOf(resolve(range))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      violations: [expect.stringMatching(violation)],
    });
  });
});
