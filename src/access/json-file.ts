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
  const mistakes = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the whole"}: ${issue.message}`);
  throw new AccessError(`${path} is not as it must be: ${mistakes.join("; ")}`);
}

function parseJson(path: string, content: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(content));
  } catch {
    // The parser's words quote the content, which may be a secret.
    throw new AccessError(`${path} is not JSON`);
  }
}
