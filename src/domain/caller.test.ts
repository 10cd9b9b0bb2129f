import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readingDenied, registeringDenied } from "./call-errors.ts";
import {
  anybody,
  type Caller,
  formatCaller,
  requireReading,
  requireRegistering,
  requireSomeReading,
} from "./caller.ts";
import { modelNotFound } from "./errors.ts";
import { parseModelName } from "./model-name.ts";
import { ModelNames } from "./model-names.ts";
import { Violations } from "./violations.ts";

function modelName(text: string) {
  const violations = new Violations();
  const model = parseModelName(text, "model", violations);
  if (model === undefined) throw violations.toError();
  return model;
}

function callerWith({ reads = [], registers = [] }: { reads?: string[]; registers?: string[] }): Caller {
  return { name: "token:ci", reads: ModelNames.matching(reads), registers: ModelNames.matching(registers) };
}

describe("formatCaller", () => {
  it.each(["a", "alice", "build server 7", "spiffe://example.org/ns/ml/sa/trainer", '"~!', "x".repeat(251)])(
    "takes %j",
    (name) => {
      expect(formatCaller("jwt", name)).toBe(`jwt:${name}`);
    },
  );

  it.each([
    ["nothing", ""],
    ["a space", " "],
    ["a space at the beginning", " a"],
    ["a space at the end", "a "],
    ["a line feed at the end", "a\n"],
    ["a line feed inside", "a\nb"],
    ["a tab", "a\tb"],
    ["a NUL", "a\0"],
    ["DEL", "a\x7f"],
    ["an accent", "rené"],
    ["Cyrillic letters that look like Latin ones", "аlice"],
    ["a no-break space", "a\u00a0b"],
    ["a mark of direction", "a\u202eb"],
    ["a lone surrogate", "a\ud800"],
    ["one byte too many", "x".repeat(252)],
  ])("refuses %s", (_what, name) => {
    expect(formatCaller("jwt", name)).toBeUndefined();
  });

  it("takes nothing but printable ASCII without a space at either end", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(fc.constantFrom(..." ~!\x7f\x1f"), fc.string({ unit: "binary" })) }),
        (name) => {
          const isPrintable = [...name].every((character) => character >= " " && character <= "~");
          const isName = isPrintable && name !== "" && name.trim() === name;
          expect(formatCaller("token", name)).toBe(isName ? `token:${name}` : undefined);
        },
      ),
    );
  });
});

describe("what a caller may do", () => {
  it("is everything where nobody is asked who they are", () => {
    const model = modelName("vision/resnet-50");
    expect(anybody.name).toBe("");
    expect(() => {
      requireSomeReading(anybody);
      requireReading(anybody, model);
      requireRegistering(anybody, model);
    }).not.toThrow();
  });

  it("is to read what their role says, and the rest is as if it was not there", () => {
    const reader = callerWith({ reads: ["vision/*"] });
    expect(() => requireSomeReading(reader)).not.toThrow();
    expect(() => requireReading(reader, modelName("vision/a"))).not.toThrow();
    expect(() => requireReading(reader, modelName("audio/a"))).toThrow(modelNotFound("audio/a"));
  });

  it("is denied to somebody who may read nothing, without a word about a model", () => {
    const registrar = callerWith({ registers: ["*"] });
    expect(() => requireSomeReading(registrar)).toThrow(readingDenied("token:ci"));
    expect(() => requireReading(registrar, modelName("audio/a"))).toThrow(readingDenied("token:ci"));
  });

  it("is to register where a role says so, which reading does not", () => {
    const caller = callerWith({ reads: ["*"], registers: ["audio/a"] });
    expect(() => requireRegistering(caller, modelName("audio/a"))).not.toThrow();
    expect(() => requireRegistering(caller, modelName("audio/b"))).toThrow(registeringDenied("token:ci", "audio/b"));
  });
});
