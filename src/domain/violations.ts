// Where the rules of one request put what they find, so that a caller hears of every violated field at once.
// A parse function takes the field's path and the collector, and answers undefined after it has added to it.

import { type FieldViolation, invalidField, invalidRequest, type RegistryError, unknownField } from "./errors.ts";

/** How many violations end the checking of a request: more help nobody, and hostile requests could have millions. */
export const MAX_VIOLATIONS = 1000;

/** The violated fields of one request. */
export class Violations {
  readonly #found: FieldViolation[] = [];

  /** Adds a field that breaks its rule; throws the request's error once there are `MAX_VIOLATIONS`. */
  addInvalid(field: string, description: string): void {
    this.#add(invalidField(field, description));
  }

  /** Adds a field that this release does not know; throws the request's error once there are `MAX_VIOLATIONS`. */
  addUnknown(field: string): void {
    this.#add(unknownField(field));
  }

  /** Throws the request's error if anything was added. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw this.toError();
  }

  /** The request's error; only where something was added. */
  toError(): RegistryError {
    const [first, ...rest] = this.#found;
    if (first === undefined) throw new Error("a parse function answered undefined and added no violation");
    return invalidRequest([first, ...rest]);
  }

  #add(violation: FieldViolation): void {
    this.#found.push(violation);
    if (this.#found.length >= MAX_VIOLATIONS) throw this.toError();
  }
}
