// Tokens that an operator hands out, for small set-ups. The file holds their hashes only; because a token has 256 random
// bits, SHA-256 is enough and no slow hash is needed.

import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { readFile, realpath, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { formatCaller } from "../domain/caller.ts";
import { parseJsonFile } from "./json-file.ts";
import { AccessError } from "./watched-files.ts";

const entrySchema = z.strictObject({
  name: z
    .string()
    .refine((name) => formatCaller("token", name) !== undefined, "must be printable ASCII, at most 249 characters"),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of the token in 64 lower-case hex digits")
    .transform((hex) => Buffer.from(hex, "hex")),
});

const fileSchema = z.strictObject({ tokens: z.array(entrySchema) });

/** The callers who have a token. */
export class StaticTokens {
  readonly #entries: readonly z.output<typeof entrySchema>[];

  private constructor(entries: readonly z.output<typeof entrySchema>[]) {
    this.#entries = entries;
  }

  /** Reads the content of a tokens file. */
  static parse(path: string, content: Buffer | undefined): StaticTokens {
    return new StaticTokens(parseJsonFile(path, content, fileSchema).tokens);
  }

  /** The caller `token:NAME` whose token it is; takes as long for every token. */
  find(token: string): string | undefined {
    const hash = sha256(token);
    let found: string | undefined;
    for (const { name, sha256: expected } of this.#entries) {
      if (timingSafeEqual(hash, expected)) found = formatCaller("token", name);
    }
    return found;
  }
}

/**
 * Makes a token of the caller `token:NAME` and adds its hash to the file, which need not exist yet. The token itself is
 * kept nowhere.
 *
 * @throws AccessError when the name is none, or the file is there and no tokens file.
 */
export async function makeToken(path: string, name: string): Promise<string> {
  const token = `stele_${randomBytes(32).toString("base64url")}`;
  const entry = entrySchema.safeParse({ name, sha256: sha256(token).toString("hex") });
  if (!entry.success) throw new AccessError(`the name ${entry.error.issues[0]?.message}`);
  const { tokens } = parseJsonFile(path, (await readIfThere(path)) ?? Buffer.from('{"tokens": []}'), fileSchema);
  const shown = [...tokens, entry.data].map((each) => ({ name: each.name, sha256: each.sha256.toString("hex") }));
  await replaceFile(path, `${JSON.stringify({ tokens: shown }, undefined, 2)}\n`);
  return token;
}

// A service that reads the file meanwhile finds the old one or the new one, whole.
async function replaceFile(path: string, content: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const draft = `${target}.${randomUUID()}`;
  try {
    await writeFile(draft, content, { mode: 0o600, flag: "wx" });
    await rename(draft, target);
  } catch (error) {
    throw new AccessError(`cannot write ${path}: ${error instanceof Error && "code" in error ? error.code : error}`);
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new AccessError(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
