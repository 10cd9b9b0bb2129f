import { LRUCache } from "lru-cache";
import { z } from "zod";
import type { Caller } from "../domain/caller.ts";
import { parseModelName, parseModelPrefix } from "../domain/model-name.ts";
import { ModelNames } from "../domain/model-names.ts";
import { Violations } from "../domain/violations.ts";
import { parseJsonFile } from "./json-file.ts";

const callerPattern = z
  .string()
  .regex(
    /^(?:\*|(?:jwt|cert|token):(?:[!-~](?:[ -~]*[!-~])?))$/,
    'must be "*", or begin with jwt:, cert: or token:, with an optional * at its end',
  )
  .refine(hasStarAtEndOnly, "may have a * at its end only");

const modelPattern = z
  .string()
  .refine(hasStarAtEndOnly, "may have a * at its end only")
  .refine(isModelPattern, 'must be a model\'s name, the beginning of one followed by *, or "*"');

const fileSchema = z.strictObject({
  grants: z.array(
    z.strictObject({
      role: z.enum(["reader", "registrar"], { error: 'must be "reader" or "registrar"' }),
      callers: z.array(callerPattern).min(1, "must name somebody"),
      models: z.array(modelPattern).min(1, "must name some model"),
    }),
  ),
});

type Grant = z.output<typeof fileSchema>["grants"][number];

const MAX_CALLERS_REMEMBERED = 10_000;

/** Who may do what: nobody anything but what a grant says. */
export class Policy {
  readonly #grants: readonly Grant[];
  readonly #callers = new LRUCache<string, Caller>({ max: MAX_CALLERS_REMEMBERED });

  private constructor(grants: readonly Grant[]) {
    this.#grants = grants;
  }

  /** Reads the content of a policy file; throws an AccessError that names every mistake. */
  static parse(path: string, content: Buffer | undefined): Policy {
    return new Policy(parseJsonFile(path, content, fileSchema).grants);
  }

  /** The caller of that name with all that the grants give them. */
  callerNamed(name: string): Caller {
    const known = this.#callers.get(name);
    if (known !== undefined) return known;
    const caller = { name, reads: this.#models(name, "reader"), registers: this.#models(name, "registrar") };
    this.#callers.set(name, caller);
    return caller;
  }

  #models(name: string, role: Grant["role"]): ModelNames {
    const grants = this.#grants.filter((grant) => grant.role === role && grant.callers.some((p) => matches(p, name)));
    return ModelNames.matching(grants.flatMap(({ models }) => models));
  }
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function hasStarAtEndOnly(pattern: string): boolean {
  return !pattern.slice(0, -1).includes("*");
}

function isModelPattern(pattern: string): boolean {
  return pattern.endsWith("*")
    ? parseModelPrefix(pattern.slice(0, -1), "", new Violations()) !== undefined
    : parseModelName(pattern, "", new Violations()) !== undefined;
}
