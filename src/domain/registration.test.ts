import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { parseRegistration } from "./registration.ts";
import { Violations } from "./violations.ts";

type RequestInit = MessageInitShape<typeof RegisterVersionRequestSchema>;

function register(init: RequestInit, violations = new Violations()) {
  return parseRegistration(create(RegisterVersionRequestSchema, init), violations);
}

const valid: RequestInit = { model: "vision/resnet-50", number: { case: "version", value: "1.0.0+a" } };

test("reads a request without metadata, and keeps empty metadata apart from it", () => {
  expect(register(valid)).toMatchObject({
    model: "vision/resnet-50",
    number: { kind: "explicit", version: { text: "1.0.0+a" } },
    metadata: undefined,
  });
  expect(register({ ...valid, metadata: {} }).metadata).toMatchObject({ description: "" });
});

test("tells everything that is wrong at once, with what decoding found", () => {
  const metadata = { metrics: { accuracy: Number.NaN }, artifacts: [{ name: "weights" }] };
  const violations = violationsOf((collector) => {
    collector.addUnknown("metadata.99");
    register({ model: "A", number: { case: "version", value: "v1" }, metadata }, collector);
  });
  expect(violations.map(({ field }) => field)).toEqual([
    "metadata.99",
    "model",
    "version",
    'metadata.metrics["accuracy"]',
    "metadata.artifacts[0].uri",
  ]);
});

test("refuses a valid request of which decoding found an unknown field", () => {
  const violations = new Violations();
  violations.addUnknown("metadata.99");
  expect(() => register(valid, violations)).toThrow(expect.objectContaining({ reason: "UNKNOWN_FIELD" }));
});

const versionRequired = "is required; give a semantic version, such as 1.4.0";

test.each<[string, RequestInit, string, string]>([
  ["no model", { ...valid, model: "" }, "model", "is required; give the model's name, such as vision/resnet-50"],
  ["no number", { model: "a" }, "version", `${versionRequired}, or an increment`],
  ["an empty version", { model: "a", number: { case: "version", value: "" } }, "version", versionRequired],
])("refuses %s", (_name, init, field, description) => {
  expect(violationsOf((violations) => register(init, violations))).toEqual([
    { field, description, reason: "INVALID_FIELD" },
  ]);
});

test("reads the dependencies in their order", () => {
  const dependencies = [
    { model: "base", version: "2.0.0+a" },
    { model: "vision/resnet-50", version: "1.0.0-rc.1" },
  ];
  expect(register({ ...valid, metadata: { dependencies } }).dependencies).toMatchObject([
    { model: "base", version: { text: "2.0.0+a" } },
    { model: "vision/resnet-50", version: { text: "1.0.0-rc.1" } },
  ]);
});

test("refuses a version that depends on itself, by whatever build metadata", () => {
  const dependencies = [
    { model: "base", version: "1.0.0" },
    { model: "vision/resnet-50", version: "1.0.0+other" },
  ];
  expect(violationsOf((violations) => register({ ...valid, metadata: { dependencies } }, violations))).toEqual([
    {
      field: "metadata.dependencies[1]",
      description: "is the version itself; name only earlier versions",
      reason: "INVALID_FIELD",
    },
  ]);
});
