import { fromBinary, type Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { describe, expect, test } from "vitest";
import {
  GetVersionRequestSchema,
  Level,
  RegisterVersionRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { nameModel, versionAt } from "../rows.ts";
import { type BodyOrder, makeBodies } from "./bodies.ts";

const PREFIX_BYTES = 5;

function decodeBodies<T extends Message>(order: BodyOrder, count: number, schema: GenMessage<T>): T[] {
  const nextBody = makeBodies(order);
  return Array.from({ length: count }, () => fromBinary(schema, nextBody().subarray(PREFIX_BYTES)));
}

describe("makeBodies", () => {
  test("repeats a fixed body", () => {
    const nextBody = makeBodies({ kind: "fixed", base64: Buffer.from("body").toString("base64") });
    expect([nextBody(), nextBody()].map(String)).toEqual(["body", "body"]);
  });

  test("asks for every version of a model before it asks for one again", () => {
    const plan = { model: nameModel("big"), versions: 1_000, recordBytes: 400, prereleasesPerRelease: 0 };
    const asked = decodeBodies({ kind: "versions", plan }, plan.versions, GetVersionRequestSchema);
    const all = Array.from({ length: plan.versions }, (_, index) => versionAt(plan, index));
    expect(new Set(asked.map(({ model }) => model))).toEqual(new Set(["big"]));
    expect(asked.map(({ selector }) => selector.value).toSorted()).toEqual(all.toSorted());
  });

  test("registers a new number each time, with the same metadata, the models in turn", () => {
    const order: BodyOrder = { kind: "explicit", models: ["a", "b"], major: 1_800_000_000 };
    const requests = decodeBodies(order, 3, RegisterVersionRequestSchema);
    const [first] = requests;
    expect(requests.map(({ model, number }) => [model, number.case, number.value])).toEqual([
      ["a", "version", "1800000000.0.100000001"],
      ["b", "version", "1800000000.0.100000002"],
      ["a", "version", "1800000000.0.100000003"],
    ]);
    expect(first?.metadata?.artifacts).toHaveLength(1);
    for (const { metadata } of requests) expect(metadata).toEqual(first?.metadata);
  });

  test("increments the models in turn", () => {
    const requests = decodeBodies({ kind: "increment", models: ["a", "b"] }, 3, RegisterVersionRequestSchema);
    expect(requests.map(({ model, number }) => [model, number.case])).toEqual([
      ["a", "increment"],
      ["b", "increment"],
      ["a", "increment"],
    ]);
    expect(requests[0]?.number.value).toMatchObject({ level: Level.MINOR });
  });
});
