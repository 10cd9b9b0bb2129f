import { describe, expect, test } from "vitest";
import { UsageError } from "../command-line.ts";
import { type Options, readOptions } from "./options.ts";

function optionsOf(...args: readonly string[]): Options {
  const options = readOptions(args);
  if (typeof options === "string") throw new Error("the options ask for help");
  return options;
}

function namesOf({ chosen }: Options): string[] {
  return chosen.map(({ name }) => name);
}

describe("readOptions", () => {
  test("chooses every measurement, each under a name of its own", () => {
    const names = namesOf(optionsOf());
    expect(names).toContain("get-hot");
    expect(names).toContain("growth-register");
    expect(new Set(names).size).toBe(names.length);
  });

  test("chooses what has a target when it must be quick", () => {
    const names = ["get-hot", "register-64-1000", "list", "first-message", "deep-page"];
    expect(namesOf(optionsOf("--quick"))).toEqual(names);
  });

  test("chooses what is named, also when it must be quick", () => {
    expect(namesOf(optionsOf("--quick", "get-cold", "list-models"))).toEqual(["get-cold", "list-models"]);
  });

  test("takes what is given in place of the defaults", () => {
    const args = [
      "--rounds",
      "7",
      "--seconds",
      "1.5",
      "--versions",
      "50000",
      "--data-dir",
      "d",
      "--json",
      "f",
      "--guard",
    ];
    const { chosen, ...rest } = optionsOf(...args);
    expect(rest).toEqual({
      scale: { rounds: 7, seconds: 1.5, versions: 50_000 },
      dataDirectory: "d",
      jsonFile: "f",
      isGuard: true,
    });
  });

  test("answers a text that names the measurements when it is asked for help", () => {
    expect(readOptions(["--help"])).toContain("get-hot, get-cold, get-range");
  });

  test.each([
    [["--seconds", "0"], '--seconds must be a number from 0.1 to 600, not "0"'],
    [["--rounds", "none"], '--rounds must be a whole number from 1 to 1000, not "none"'],
    [["get-warm"], 'there is no measurement "get-warm"; see --help'],
  ])("refuses %j", (args, message) => {
    expect(() => readOptions(args)).toThrow(new UsageError(message));
  });
});
