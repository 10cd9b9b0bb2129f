import { expect, test } from "vitest";
import { RegistryError } from "./errors.ts";
import { MAX_VIOLATIONS, Violations } from "./violations.ts";

test("throws nothing while nothing is violated", () => {
  expect(() => new Violations().throwIfAny()).not.toThrow();
});

test("makes one error of everything that was added, in order", () => {
  const violations = new Violations();
  violations.addInvalid("model", "is required");
  violations.addInvalid("version", "is required");
  const expected = {
    reason: "INVALID_REQUEST",
    message: "model is required (and 1 more invalid field)",
    metadata: { field: "model", description: "is required", violations: "2" },
    violations: [
      { field: "model", description: "is required", reason: "INVALID_FIELD" },
      { field: "version", description: "is required", reason: "INVALID_FIELD" },
    ],
  };
  expect(() => violations.throwIfAny()).toThrow(expect.objectContaining(expected));
});

test("names an unknown field first, because the caller's proto does not fit", () => {
  const violations = new Violations();
  violations.addInvalid("model", "is required");
  violations.addUnknown("metadata.99");
  expect(violations.toError()).toMatchObject({ reason: "UNKNOWN_FIELD", metadata: { field: "metadata.99" } });
});

test("ends the checking of a request at its thousandth violation", () => {
  const violations = new Violations();
  let added = 0;
  const addForEver = () => {
    for (;;) {
      added += 1;
      violations.addInvalid(`metadata.artifacts[${added}].uri`, "is required");
    }
  };
  expect(addForEver).toThrow(RegistryError);
  expect(added).toBe(MAX_VIOLATIONS);
  expect(violations.toError().violations).toHaveLength(1000);
});

test("makes no error where nothing was added", () => {
  expect(() => new Violations().toError()).toThrow("added no violation");
});
