import { type FieldViolation, RegistryError } from "../../src/domain/errors.ts";
import { Violations } from "../../src/domain/violations.ts";

/** Everything that `check` adds, or that the error it throws carries. */
export function violationsOf(check: (violations: Violations) => unknown): readonly FieldViolation[] {
  const violations = new Violations();
  try {
    check(violations);
    violations.throwIfAny();
    return [];
  } catch (error) {
    if (error instanceof RegistryError) return error.violations;
    throw error;
  }
}
