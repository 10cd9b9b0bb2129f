import { expect, it } from "vitest";
import { createCorpus } from "./corpus.ts";
import { describeInput, type Kind } from "./input.ts";
import { createInput, kindWeights } from "./inputs.ts";

const kinds = new Set(Object.keys(kindWeights) as Kind[]);
const numbers = Array.from({ length: 2000 }, (_, number) => number);

it("makes the same inputs of the same seed, in any order", () => {
  const forward = numbers.map((number) => describe(7, number));
  const backward = numbers.toReversed().map((number) => describe(7, number));
  expect(backward.toReversed()).toEqual(forward);
});

it("makes other inputs of another seed, and hardly ever the same twice", () => {
  const texts = numbers.flatMap((number) => [describe(7, number), describe(8, number)]);
  expect(new Set(texts).size).toBeGreaterThan(0.9 * texts.length);
});

it("makes nothing but the kinds that are asked for", () => {
  const source = { seed: 7, corpus: createCorpus(7), kinds: new Set<Kind>(["connections"]) };
  expect(new Set(numbers.map((number) => createInput(source, number).kind))).toEqual(new Set(["connections"]));
});

const corpora = new Map([7, 8].map((seed) => [seed, createCorpus(seed)]));

function describe(seed: number, number: number): string {
  return describeInput(createInput({ seed, corpus: corpora.get(seed) ?? createCorpus(seed), kinds }, number));
}
