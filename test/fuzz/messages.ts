import type { Random } from "../hammer/random.ts";
import { pick } from "./choice.ts";
import { type Corpus, type Method, pickMethod } from "./corpus.ts";
import { frameSomehow } from "./framing.ts";
import type { Header, HttpCall } from "./input.ts";
import { mutateMessage } from "./mutation.ts";
import { bytesField } from "./wire.ts";

/** A call with a header block as it should be, and a body that seldom is. */
export function messageInput(random: Random, corpus: Corpus): HttpCall {
  const method = pickMethod(random, corpus);
  const { headers, body } = frameSomehow(random, anyMessage(random, { corpus, method }));
  return { headers: [...headersOf(method.path), ...headers], body };
}

/** The header block of a call without anything that a client may add. */
export function headersOf(path: string): Header[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "localhost"],
    [":path", path],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
}

function anyMessage(random: Random, { corpus, method }: { corpus: Corpus; method: Method }): Buffer {
  const request = pick(random, method.requests);
  const kind = random.weighted({ valid: 15, mutated: 75, foreign: 5, deep: 5 });
  switch (kind) {
    case "valid":
      return request;
    case "foreign":
      return pick(random, pickMethod(random, corpus).requests);
    case "deep":
      return Buffer.concat([request, deepAttributes(random)]);
    case "mutated":
      return mutateMessage(random, request, pick(random, pickMethod(random, corpus).requests));
  }
}

/** metadata.attributes of a registration, as structs and lists inside each other. */
function deepAttributes(random: Random): Buffer {
  let value = bytesField(3, "innermost");
  for (let left = pick(random, [14, 15, 16, 17, 49, 99, 101, 400]); left > 0; left -= 1) {
    value = random.percent(50) ? bytesField(6, bytesField(1, value)) : bytesField(5, entry(value));
  }
  return bytesField(4, bytesField(12, entry(value)));
}

/** The one entry of a Struct. */
function entry(value: Buffer): Buffer {
  return bytesField(1, Buffer.concat([bytesField(1, "a"), bytesField(2, value)]));
}
