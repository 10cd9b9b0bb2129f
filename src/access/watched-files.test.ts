import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { AccessError, WatchedFiles } from "./watched-files.ts";

const PATIENCE = { timeout: 10_000, interval: 20 };

/** Two files of words, watched until the test is over. */
async function watchWords(first: string, second: string) {
  const folder = await mkdtemp(join(tmpdir(), "stele-watch-"));
  const paths = [join(folder, "first"), join(folder, "second")] as const;
  await writeFile(paths[0], first);
  await writeFile(paths[1], second);
  const stopping = new AbortController();
  const told: string[] = [];
  const tell = (context: object, message: string) => {
    expect(context).toEqual({ files: paths });
    told.push(message.replaceAll(`${folder}/`, ""));
  };
  const log = { info: tell, warn: tell };
  const open = () => WatchedFiles.open({ paths, parse: parseWords, log, signal: stopping.signal });
  const untilTold = async (...messages: string[]) => await vi.waitFor(() => expect(told).toEqual(messages), PATIENCE);
  const dispose = async () => {
    stopping.abort();
    await rm(folder, { recursive: true });
  };
  return { paths, open, told, untilTold, stop: () => stopping.abort(), [Symbol.asyncDispose]: dispose };
}

/** Joins the words; knows no word that begins with "bad". */
function parseWords(contents: readonly Buffer[]): string {
  const words = contents.map(String);
  for (const word of words) if (word.startsWith("bad")) throw new AccessError(`${word} is no word`);
  return words.join(" ");
}

const STAYS = "; what was read before stays in force";

describe.concurrent("watched files", () => {
  it("mean what their contents mean, in their order", async () => {
    await using words = await watchWords("one", "two");
    const files = await words.open();
    expect(files.current).toBe("one two");
    const seen: string[] = [];
    files.follow((current) => seen.push(current));
    expect(seen).toEqual(["one two"]);
  });

  it.each([
    ["written in place", async (path: string) => await writeFile(path, "three")],
    [
      "replaced",
      async (path: string) => {
        await writeFile(`${path}.new`, "three");
        await rename(`${path}.new`, path);
      },
    ],
  ])("mean something else when one is %s, and whoever follows is told", async (_how, change) => {
    await using words = await watchWords("one", "two");
    const files = await words.open();
    const seen: string[] = [];
    files.follow((current) => seen.push(current));
    // The same content is no change.
    await writeFile(words.paths[0], "one");
    await change(words.paths[1]);
    await words.untilTold("read again");
    expect({ current: files.current, seen }).toEqual({ current: "one three", seen: ["one two", "one three"] });
  });

  it("go on meaning the last good, and the log says so once for each reason", async () => {
    await using words = await watchWords("one", "two");
    const files = await words.open();
    const seen: string[] = [];
    files.follow((current) => seen.push(current));
    await writeFile(words.paths[0], "bad");
    await words.untilTold(`bad is no word${STAYS}`);
    await rm(words.paths[1]);
    await words.untilTold(`bad is no word${STAYS}`, `cannot read second: ENOENT${STAYS}`);
    expect({ current: files.current, seen }).toEqual({ current: "one two", seen: ["one two"] });
    await writeFile(words.paths[1], "two");
    await words.untilTold(`bad is no word${STAYS}`, `cannot read second: ENOENT${STAYS}`, `bad is no word${STAYS}`);
    await writeFile(words.paths[0], "four");
    await vi.waitFor(() => expect(words.told.at(-1)).toBe("read again"), PATIENCE);
    expect({ current: files.current, seen }).toEqual({ current: "four two", seen: ["one two", "four two"] });
    expect(words.told).toHaveLength(4);
  });

  it("go on meaning the last good while whoever follows cannot take the next", async () => {
    await using words = await watchWords("one", "two");
    const files = await words.open();
    let refuses = true;
    files.follow((current) => {
      if (current === "three two" && refuses) throw new Error("not now");
    });
    await writeFile(words.paths[0], "three");
    await words.untilTold(`not now${STAYS}`);
    expect(files.current).toBe("one two");
    refuses = false;
    await words.untilTold(`not now${STAYS}`, "read again");
    expect(files.current).toBe("three two");
  });

  it("are watched no longer than wanted", async () => {
    await using words = await watchWords("one", "two");
    const stopped = await words.open();
    words.stop();
    await using others = await watchWords("one", "two");
    const going = await others.open();
    for (const next of ["three", "four"]) {
      await writeFile(words.paths[0], next);
      await writeFile(others.paths[0], next);
      await vi.waitFor(() => expect(going.current).toBe(`${next} two`), PATIENCE);
    }
    expect({ current: stopped.current, told: words.told }).toEqual({ current: "one two", told: [] });
  });

  it("cannot be opened when one is not there, is no file, or means nothing good", async () => {
    await using words = await watchWords("one", "bad");
    const refusal = async () =>
      await words.open().then(
        () => undefined,
        ({ name, message }: Error) => ({ name, message }),
      );
    expect(await refusal()).toEqual({ name: "AccessError", message: "bad is no word" });
    await rm(words.paths[1]);
    expect(await refusal()).toEqual({ name: "AccessError", message: `cannot read ${words.paths[1]}: ENOENT` });
  });
});
