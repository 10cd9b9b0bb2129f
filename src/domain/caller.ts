// Who calls, and what they may do. Invariant: what may not be read looks like what does not exist, wherever that is
// possible; docs/security.md says where it is not.

import { readingDenied, registeringDenied } from "./call-errors.ts";
import { modelNotFound } from "./errors.ts";
import type { ModelName } from "./model-name.ts";
import { ModelNames } from "./model-names.ts";

/** The longest name of a caller, its kind included, in bytes. */
const MAX_CALLER_NAME_BYTES = 255;

/** Who calls, and on which models they may do what. */
export interface Caller {
  /** As it is recorded with what they register; empty without authentication. */
  readonly name: string;
  readonly reads: ModelNames;
  readonly registers: ModelNames;
}

/** Everybody, where nobody is asked who they are. */
export const anybody: Caller = { name: "", reads: ModelNames.all, registers: ModelNames.all };

/** By what a caller is known; names of different kinds never meet. */
export type CallerKind = "jwt" | "token" | "cert";

/**
 * The caller `KIND:NAME`; undefined when that cannot be one. A name is printable ASCII without a space at either end, and
 * with its kind at most 255 bytes: so no two look the same, and none can forge a line of a log.
 */
export function formatCaller(kind: CallerKind, name: string): string | undefined {
  const caller = `${kind}:${name}`;
  return caller.length <= MAX_CALLER_NAME_BYTES && /^[!-~](?:[ -~]*[!-~])?$/.test(name) ? caller : undefined;
}

/**
 * @throws RegistryError MODEL_NOT_FOUND, as for a model that is not there, where the caller may not read it;
 *   PERMISSION_DENIED when they may read none at all.
 */
export function requireReading(caller: Caller, model: ModelName): void {
  requireSomeReading(caller);
  if (!caller.reads.has(model)) throw modelNotFound(model);
}

/** @throws RegistryError PERMISSION_DENIED when the caller may read no model at all. */
export function requireSomeReading({ name, reads }: Caller): void {
  if (reads.isEmpty) throw readingDenied(name);
}

/** @throws RegistryError PERMISSION_DENIED when the caller may not register versions of the model. */
export function requireRegistering({ name, registers }: Caller, model: ModelName): void {
  if (!registers.has(model)) throw registeringDenied(name, model);
}
