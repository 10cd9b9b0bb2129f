import type { MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { RegisterVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { PlainIncrement, PlainRegistration } from "./registry-model.ts";

const withins = [
  "*",
  "^1",
  "1.x",
  "~1.2",
  "<=1.2.0",
  ">=1.0.0 <2.0.0",
  "0.x || 2.x",
  "1.0.0 - 1.2.0",
  ">5",
  "^2.0.0-rc.1",
];

/** The text of one of few versions, so that registrations often meet, with some that stand close to an increment. */
export function dense(): fc.Arbitrary<string> {
  const core = fc.constantFrom("0.0.0", "0.0.1", "1.0.0", "1.0.1", "1.1.0", "2.0.0");
  const prerelease = fc.constantFrom("", "", "", "-rc", "-rc.1", "-rc.9", "-rc.9", "-rc.10", "-rc.1.1", "-beta.x");
  const build = fc.constantFrom("", "", "", "+a", "+b.1");
  const versions = fc.tuple(core, prerelease, build).map((parts) => parts.join(""));
  const limits = fc.constantFrom("1.2.9007199254740991", "1.2.1-rc.9007199254740991");
  return fc.oneof({ arbitrary: versions, weight: 60 }, { arbitrary: limits, weight: 1 });
}

/** A registration without request id. With `line`, its increments are of that major line and never raise it. */
export function arbitraryRegistration({ line = "" } = {}): fc.Arbitrary<PlainRegistration> {
  const model = () => fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, { arbitrary: fc.constant(1), weight: 1 });
  // The train of rc.1 counts for the train of rc as well, as the number 1 with more behind it.
  const labels = line === "" ? ["rc", "rc", "beta", "rc.1"] : ["rc", "beta", "nightly.gpu"];
  const increments: fc.Arbitrary<PlainIncrement> = fc.record({
    level: line === "" ? fc.constantFrom(1 as const, 2 as const, 3 as const) : fc.constantFrom(2 as const, 3 as const),
    within:
      line === ""
        ? fc.oneof({ arbitrary: fc.constant(""), weight: 2 }, fc.constantFrom(...withins))
        : fc.constant(`^${line}`),
    prerelease: fc.constantFrom("", ...labels),
  });
  const dependency = fc.record({ model: model(), version: dense() });
  return fc.record({
    model: model(),
    number: fc.oneof(dense(), increments),
    description: fc.constantFrom("a", "b"),
    dependencies: fc.oneof(
      { arbitrary: fc.constant([]), weight: 4 },
      { arbitrary: fc.array(dependency, { minLength: 1, maxLength: 2 }), weight: 1 },
    ),
    requestId: fc.constant(""),
    validateOnly: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, { arbitrary: fc.constant(true), weight: 1 }),
  });
}

/** The request in the words of the API. */
export function toRequest(names: readonly string[], plain: PlainRegistration) {
  const { number, description, requestId, validateOnly } = plain;
  const dependencies = plain.dependencies.map(({ model, version }) => ({ model: names[model] ?? "", version }));
  return {
    model: names[plain.model] ?? "",
    number:
      typeof number === "string"
        ? ({ case: "version", value: number } as const)
        : ({ case: "increment", value: number } as const),
    metadata: { description, dependencies },
    requestId,
    validateOnly,
  } satisfies MessageInitShape<typeof RegisterVersionRequestSchema>;
}
