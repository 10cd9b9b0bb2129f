import { createHash } from "node:crypto";

/** The content of a tokens file with these tokens, by the names that they stand for. */
export function tokensFile(tokens: Readonly<Record<string, string>>): object {
  return { tokens: Object.entries(tokens).map(([name, token]) => ({ name, sha256: hashOf(token) })) };
}

/** What a tokens file has of a token. */
export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** A grant of a policy. */
export interface Grant {
  readonly role: "reader" | "registrar";
  readonly callers: readonly string[];
  readonly models: readonly string[];
}

/** The content of a policy file that says what each caller reads and registers. */
export function policyFile(rights: Readonly<Record<string, { reads?: string[]; registers?: string[] }>>) {
  const grants = Object.entries(rights).flatMap(([caller, { reads = [], registers = [] }]): Grant[] => [
    ...(reads.length > 0 ? [{ role: "reader" as const, callers: [caller], models: reads }] : []),
    ...(registers.length > 0 ? [{ role: "registrar" as const, callers: [caller], models: registers }] : []),
  ]);
  return { grants };
}

/** A policy by which everybody may do everything. */
export const openPolicy = policyFile({ "*": { reads: ["*"], registers: ["*"] } });
