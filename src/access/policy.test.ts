import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Policy } from "./policy.ts";
import { AccessError } from "./watched-files.ts";

interface Grant {
  readonly role: string;
  readonly callers: readonly string[];
  readonly models: readonly string[];
}

function parse(content: unknown): Policy {
  return Policy.parse("policy.json", Buffer.from(typeof content === "string" ? content : JSON.stringify(content)));
}

function mistakeIn(content: unknown): unknown {
  try {
    parse(content);
  } catch (error) {
    return error instanceof AccessError ? error.message : error;
  }
  return undefined;
}

const good: Grant = { role: "reader", callers: ["token:ci"], models: ["a"] };

function withGrant(changed: object) {
  return { grants: [good, { ...good, ...changed }] };
}

describe("Policy", () => {
  it("gives nobody anything without a grant", () => {
    const { name, reads, registers } = parse({ grants: [] }).callerNamed("token:ci");
    expect([name, reads.isEmpty, registers.isEmpty]).toEqual(["token:ci", true, true]);
  });

  it("gives each role its own right", () => {
    const policy = parse({ grants: [good, { role: "registrar", callers: ["token:ci"], models: ["b"] }] });
    const { reads, registers } = policy.callerNamed("token:ci");
    expect([reads.has("a"), reads.has("b"), registers.has("a"), registers.has("b")]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it.each([
    ["token:ci", ["token:ci"]],
    ["token:ci*", ["token:ci", "token:ci-2"]],
    ["token:*", ["token:c", "token:ci", "token:ci-2"]],
    ["jwt:*", ["jwt:ci"]],
    ["cert:spiffe://a.example/*", ["cert:spiffe://a.example/x"]],
    ["*", ["token:c", "token:ci", "token:ci-2", "jwt:ci", "cert:ci", "cert:spiffe://a.example/x"]],
  ])("means by %s exactly %j", (pattern, expected) => {
    const policy = parse({ grants: [{ ...good, callers: [pattern] }] });
    const names = ["token:c", "token:ci", "token:ci-2", "jwt:ci", "cert:ci", "cert:spiffe://a.example/x"];
    expect(names.filter((name) => policy.callerNamed(name).reads.has("a"))).toEqual(expected);
  });

  it("gives every caller what the grants together say", () => {
    const callers = ["token:a", "token:ab", "jwt:a", "cert:a"];
    const models = ["a", "a-b", "a/b", "ab", "b"];
    const grant = fc.record({
      role: fc.constantFrom("reader", "registrar"),
      callers: fc.array(fc.constantFrom(...callers, "*", "token:*", "token:a*", "jwt:*"), {
        minLength: 1,
        maxLength: 3,
      }),
      models: fc.array(fc.constantFrom(...models, "*", "a*", "a/*", "a-*", "b*"), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 5 }), (grants) => {
        const policy = parse({ grants });
        for (const name of callers) {
          const caller = policy.callerNamed(name);
          for (const model of models) {
            expect(caller.reads.has(model)).toBe(isGranted(grants, "reader", name, model));
            expect(caller.registers.has(model)).toBe(isGranted(grants, "registrar", name, model));
          }
        }
      }),
    );
  });

  it.each([
    ["half of it", '{"grants": [', "policy.json is not JSON"],
    ["nothing", "", "policy.json is not JSON"],
    ["a list", [], "policy.json is not as it must be: the whole: Invalid input: expected object, received array"],
    ["no grants", {}, "policy.json is not as it must be: grants: Invalid input: expected array, received undefined"],
    ["another key", { grants: [], deny: [] }, 'policy.json is not as it must be: the whole: Unrecognized key: "deny"'],
    [
      "another key of a grant",
      withGrant({ model: ["a"] }),
      'policy.json is not as it must be: grants.1: Unrecognized key: "model"',
    ],
    [
      "another role",
      withGrant({ role: "admin" }),
      'policy.json is not as it must be: grants.1.role: must be "reader" or "registrar"',
    ],
    ["no caller", withGrant({ callers: [] }), "policy.json is not as it must be: grants.1.callers: must name somebody"],
    ["no model", withGrant({ models: [] }), "policy.json is not as it must be: grants.1.models: must name some model"],
  ])("refuses %s", (_what, content, message) => {
    expect(mistakeIn(content)).toBe(message);
  });

  it.each(["", "ci", "Token:ci", "token:", "user:ci", "token: ci", "token:ci ", "token:c\ni", "jwt:аlice", "**"])(
    "refuses the caller %j",
    (caller) => {
      expect(mistakeIn(withGrant({ callers: ["token:ci", caller] }))).toContain(
        "policy.json is not as it must be: grants.1.callers.1: ",
      );
    },
  );

  it.each(["token:*ci", "token:a*b*", "*:ci", "jwt:**"])(
    "refuses the caller %j, whose star is not at its end",
    (caller) => {
      expect(mistakeIn(withGrant({ callers: [caller] }))).toContain("grants.1.callers.0: may have a * at its end only");
    },
  );

  it.each([
    "",
    "Vision",
    "vision/",
    "/a",
    "a b",
    "a*b",
    "**",
    "*/a",
    "A*",
    "a?",
    "a".repeat(256),
    `${"a".repeat(256)}*`,
  ])("refuses the model %j", (model) => {
    expect(mistakeIn(withGrant({ models: ["a", model] }))).toContain(
      "policy.json is not as it must be: grants.1.models.1: ",
    );
  });

  it("names every mistake, and none of what is written there", () => {
    const mistakes = mistakeIn(withGrant({ role: "a-secret", callers: ["a-secret"], models: ["A-SECRET", 7] }));
    expect(mistakes).toMatch(
      /grants\.1\.role: .*grants\.1\.callers\.0: .*grants\.1\.models\.0: .*grants\.1\.models\.1: /,
    );
    expect(mistakes).not.toMatch(/a-secret/i);
  });
});

function isGranted(grants: readonly Grant[], role: string, caller: string, model: string): boolean {
  const matches = (text: string) => (pattern: string) =>
    pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
  return grants.some(
    (grant) => grant.role === role && grant.callers.some(matches(caller)) && grant.models.some(matches(model)),
  );
}
