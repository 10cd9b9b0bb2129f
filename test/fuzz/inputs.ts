import { Random } from "../hammer/random.ts";
import { connectionInput } from "./connections.ts";
import type { Corpus } from "./corpus.ts";
import { headerInput } from "./header-blocks.ts";
import type { Input, Kind } from "./input.ts";
import { messageInput } from "./messages.ts";

/** How often each kind of input is sent, of a hundred. */
export const kindWeights: Readonly<Record<Kind, number>> = { messages: 60, headers: 30, connections: 10 };

/** Which inputs a run is made of. */
export interface Source {
  readonly seed: number;
  readonly corpus: Corpus;
  readonly kinds: ReadonlySet<Kind>;
}

/** The input of a number: the same for the same seed and kinds, whatever was sent before. */
export function createInput({ seed, corpus, kinds }: Source, number: number): Input {
  const random = new Random(seed, "input", number);
  const chosen = Object.entries(kindWeights).filter(([kind]) => kinds.has(kind as Kind)); // Object.entries widens.
  const kind = random.weighted(Object.fromEntries(chosen)) as Kind;
  switch (kind) {
    case "messages":
      return { kind, call: messageInput(random, corpus) };
    case "headers":
      return { kind, call: headerInput(random, corpus) };
    case "connections":
      return { kind, connection: connectionInput(random, corpus) };
  }
}
