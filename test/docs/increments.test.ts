import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Level } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { readDocument } from "../support/document.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

const rows = readDocument("increments.md")
  .split("\n")
  .filter((line) => /^\|.*\| (MAJOR|MINOR|PATCH|UNSPECIFIED) \|/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|")))
  .map(([, registered = "", level = "", within = "", prerelease = "", answer = ""]) => ({
    registered: registered.split(" ").filter((version) => version !== ""),
    level: Level[level as keyof typeof Level],
    within,
    prerelease,
    answer,
  }));

describe("docs/increments.md", () => {
  it("has its examples in a table", () => {
    expect(rows.length).toBeGreaterThan(35);
  });

  it.each(rows)("$registered $level within '$within' prerelease '$prerelease' answers $answer", async (row) => {
    const model = uniqueModel();
    for (const version of row.registered) await service.client.registerBare(model, version);
    const { level, within, prerelease, answer } = row;
    const request = { model, number: { case: "increment", value: { level, within, prerelease } } } as const;
    if (/^[A-Z_]+$/.test(answer)) {
      expect(await errorOf(service.client.register(request))).toMatchObject({ reason: answer });
      const known = row.registered.length === 0 ? "MODEL_NOT_FOUND" : row.registered.length;
      const listed = await service.client.listAll({ model }).then(
        (versions) => versions.length,
        () => "MODEL_NOT_FOUND",
      );
      expect(listed).toBe(known);
      return;
    }
    expect(await service.client.register({ ...request, validateOnly: true })).toMatchObject({ version: answer });
    const registered = await service.client.register(request);
    expect(registered).toMatchObject({ version: answer });
    expect(await service.client.getExact(model, answer)).toEqual(registered);
  });
});
