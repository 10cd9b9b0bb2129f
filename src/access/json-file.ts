import type { z } from "zod";
import { AccessError } from "./watched-files.ts";

/**
 * The content of a JSON file in the shape of the schema.
 *
 * @throws AccessError that names the file and every place in it that is wrong, without its values.
 */
export function parseJsonFile<T>(path: string, content: Buffer | undefined, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseJson(path, content));
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the whole"}: ${describe(issue)}`);
  throw new AccessError(`${path} is not as it must be: ${mistakes.join("; ")}`);
}

// A secret that got into the place of a key is not shown; a word is.
function describe(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys" || issue.keys.every((key) => /^[a-zA-Z_]{1,20}$/.test(key)))
    return issue.message;
  return "has a key that is not known";
}

function parseJson(path: string, content: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(content));
  } catch {
    // The parser's words quote the content, which may be a secret.
    throw new AccessError(`${path} is not JSON`);
  }
}
