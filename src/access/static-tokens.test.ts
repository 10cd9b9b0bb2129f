import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashOf } from "../../test/support/access-files.ts";
import { makeToken, StaticTokens } from "./static-tokens.ts";
import { AccessError } from "./watched-files.ts";

let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stele-tokens-"));
});

afterAll(async () => await rm(folder, { recursive: true }));

function newPath(): string {
  files += 1;
  return join(folder, `tokens-${files}.json`);
}

function parse(content: unknown): StaticTokens {
  return StaticTokens.parse(
    "tokens.json",
    Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
  );
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => "none",
    (error: unknown) => (error instanceof AccessError ? error.message : error),
  );
}

describe("StaticTokens", () => {
  it("knows each token by its hash", () => {
    const tokens = parse({
      tokens: [
        { name: "ci", sha256: hashOf("one") },
        { name: "build server 7", sha256: hashOf("two") },
        { name: "ci", sha256: hashOf("three") },
      ],
    });
    expect(["one", "two", "three", "four", "", hashOf("one")].map((token) => tokens.find(token))).toEqual([
      ...["token:ci", "token:build server 7", "token:ci"],
      ...[undefined, undefined, undefined],
    ]);
  });

  it("knows none without any", () => {
    expect(parse({ tokens: [] }).find("")).toBeUndefined();
  });

  it.each([
    ["half of it", '{"tokens": [{"name": "ci", "sha256": "0123', "tokens.json is not JSON"],
    ["no list", {}, "tokens.json is not as it must be: tokens: Invalid input: expected array, received undefined"],
    [
      "a token instead of its hash",
      { tokens: [{ name: "ci", sha256: "stele_0123" }] },
      "tokens.json is not as it must be: tokens.0.sha256: must be the SHA-256 of the token in 64 lower-case hex digits",
    ],
    [
      "a hash in upper case",
      { tokens: [{ name: "ci", sha256: hashOf("one").toUpperCase() }] },
      "tokens.json is not as it must be: tokens.0.sha256: must be the SHA-256 of the token in 64 lower-case hex digits",
    ],
    [
      "another key",
      { tokens: [{ name: "ci", sha256: hashOf("one"), role: "reader" }] },
      'tokens.json is not as it must be: tokens.0: Unrecognized key: "role"',
    ],
  ])("refuses %s", (_what, content, message) => {
    expect(() => parse(content)).toThrow(new AccessError(message));
  });

  it.each(["", " ci", "ci\n", "сi", "x".repeat(250)])("refuses the name %j", (name) => {
    const message = "tokens.json is not as it must be: tokens.0.name: must be printable ASCII, at most 249 characters";
    expect(() => parse({ tokens: [{ name, sha256: hashOf("one") }] })).toThrow(new AccessError(message));
  });
});

describe("makeToken", () => {
  it("makes the file, which only its owner reads and which holds the hash alone", async () => {
    const path = newPath();
    const token = await makeToken(path, "ci");
    expect(token).toMatch(/^stele_[A-Za-z0-9_-]{43}$/);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ tokens: [{ name: "ci", sha256: hashOf(token) }] });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("adds to the file and keeps the others, and nothing is left beside it", async () => {
    const path = newPath();
    const others = { tokens: [{ name: "old", sha256: hashOf("old") }] };
    await writeFile(path, JSON.stringify(others));
    await chmod(path, 0o644);
    const tokens = [await makeToken(path, "ci"), await makeToken(path, "ci"), await makeToken(path, "x".repeat(249))];
    const known = StaticTokens.parse(path, await readFile(path));
    expect(["old", ...tokens].map((token) => known.find(token))).toEqual([
      ...["token:old", "token:ci", "token:ci"],
      `token:${"x".repeat(249)}`,
    ]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  it("lets nobody else read the file, whatever an earlier attempt left behind", async () => {
    const path = newPath();
    await writeFile(`${path}.new`, "half");
    await chmod(`${path}.new`, 0o666);
    await makeToken(path, "ci");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("makes another token each time", async () => {
    const path = newPath();
    const tokens = new Set<string>();
    for (let count = 0; count < 5; count += 1) tokens.add(await makeToken(path, "ci"));
    expect(tokens.size).toBe(5);
  });

  it.each(["", " ci", "ci ", "c\ni", "сi", "x".repeat(250)])("refuses the name %j and makes no file", async (name) => {
    const path = newPath();
    expect(await failureOf(makeToken(path, name))).toBe("the name must be printable ASCII, at most 249 characters");
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each(["", '{"tokens": [', '{"tokens": {}}', '{"tokens": [], "more": 1}', "another file"])(
    "refuses the file %j and leaves it as it is",
    async (content) => {
      const path = newPath();
      await writeFile(path, content);
      expect(await failureOf(makeToken(path, "ci"))).toContain(`${path} is not `);
      expect(await readFile(path, "utf8")).toBe(content);
    },
  );

  it("tells of a folder that is not there in words", async () => {
    const path = join(folder, "missing", "tokens.json");
    expect(await failureOf(makeToken(path, "ci"))).toContain(path);
  });
});
