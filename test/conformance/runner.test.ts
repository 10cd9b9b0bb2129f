import { expect, it } from "vitest";
import { Runner } from "./runner.ts";

// A program that gives back the lines that it gets.
const echo = ["cat"] as const;

it("gives a runner its requests and takes its answers in order, with every text and every number as it is", async () => {
  await using runner = new Runner(echo);
  for (const request of [{ text: "line\u2028separator\n" }, { number: -0 }, { number: 1e21, empty: {} }]) {
    const answer: unknown = await runner.ask(request);
    expect(answer).toEqual(request);
  }
});

it("tells what a runner wrote to its log when it ends before its answer, or not well", async () => {
  const runner = new Runner(["sh", "-c", "echo broken >&2; exit 3"]);
  await expect(runner.ask({ do: "take" })).rejects.toThrow(/did not answer \{"do":"take"\}/);
  await expect(runner[Symbol.asyncDispose]()).rejects.toThrow(/ended with 3\nbroken/);
});
