import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expandVersions, parseCases, readCases } from "./cases.ts";

describe("the cases", () => {
  it("are those of every file, each with a name of its own", () => {
    const cases = readCases();
    const files = readdirSync(new URL("./", import.meta.url)).filter((name) => name.endsWith(".yaml"));
    expect(new Set(cases.map(({ subject }) => subject))).toEqual(
      new Set([...files.map((name) => name.replace(".yaml", "")), "digest"]),
    );
    const names = cases.map(({ subject, name }) => `${subject}: ${name}`);
    expect(names).toEqual([...new Set(names)]);
  });

  it("name series of versions by their ends", () => {
    expect(expandVersions("1.0.9 .. 1.0.11")).toEqual(["1.0.9", "1.0.10", "1.0.11"]);
    expect(expandVersions("1.2.1 .. 1.2.0")).toEqual(["1.2.1", "1.2.0"]);
    expect(expandVersions(["1.0.0", "2.0.0"])).toEqual(["1.0.0", "2.0.0"]);
  });

  it("are refused with what is wrong and where", () => {
    const refused = (yaml: string) => {
      try {
        return parseCases(yaml, "some.yaml");
      } catch (error) {
        return error instanceof Error ? error.message : error;
      }
    };
    expect(refused("- name: a\n  steps: [{ regster: {} }]")).toBe(
      "some.yaml: ✖ does none of connect, register, get, resolve, listVersions, listModels, take, digest, service\n" +
        "  → at [0].steps[0]",
    );
    expect(refused("- name: a\n  steps: [{ take: all, faults: [losing] }]")).toBe(
      'some.yaml: ✖ ✖ "losing" is no fault; cases.ts has those that there are\n  → at faults[0]\n  → at [0].steps[0]',
    );
    expect(refused("- name: a\n  steps: [{ get: { model: m, version: 1.0.0 }, anwser: {} }]")).toBe(
      'some.yaml: ✖ ✖ Unrecognized key: "anwser"\n  → at [0].steps[0]',
    );
  });

  it("keep names that mean something to the language", () => {
    const whole = readCases().find(({ name }) => name === "a whole record is stored as it was sent");
    expect(JSON.stringify(whole)).toContain('"__proto__":"y"');
  });
});
