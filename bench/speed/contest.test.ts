import { expect, test } from "vitest";
import { type Contestant, playRounds } from "./contest.ts";

function contestantOf(name: string, units: number, played: string[]): Contestant {
  const run = async () => {
    played.push(name);
    return { units, seconds: 2, slowestMs: 7 };
  };
  return { name, load: "none", pid: process.pid, run };
}

test("contestants take turns, every second round the other way round, after a turn that counts nothing", async () => {
  const played: string[] = [];
  const results = await playRounds([contestantOf("a", 10, played), contestantOf("b", 20, played)], 3);
  expect(played.join(" ")).toBe("a b a b b a a b");
  expect(results.map(({ contestant, turns }) => [contestant.name, turns.length])).toEqual([
    ["a", 3],
    ["b", 3],
  ]);
  for (const { turns } of results) {
    for (const turn of turns) {
      expect(turn).toMatchObject({ seconds: 2, slowestMs: 7 });
      expect(turn.processorSeconds).toBeGreaterThanOrEqual(0);
      expect(turn.residentMib).toBeGreaterThan(0);
      expect(turn.highWaterMib).toBeGreaterThanOrEqual(turn.residentMib);
    }
  }
});

test("a contestant who does nothing is a mistake", async () => {
  await expect(playRounds([contestantOf("idle", 0, [])], 1)).rejects.toThrow("idle did nothing in its slice");
});
