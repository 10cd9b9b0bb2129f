/** A name and a value of a header block, pseudo-headers included; the characters of both are bytes. */
export type Header = readonly [name: string, value: string];

/** A call that keeps the rules of HTTP/2, whatever gRPC says about it. */
export interface HttpCall {
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

/** What is written to a connection of its own, piece by piece, and how the connection is left. */
export interface Connection {
  readonly chunks: readonly Buffer[];
  readonly ending: "close" | "reset";
}

/** One thing that the fuzzer sends. */
export type Input =
  | { readonly kind: "messages" | "headers"; readonly call: HttpCall }
  | { readonly kind: "connections"; readonly connection: Connection };

/** What an input is about. */
export type Kind = Input["kind"];

/** The input in words and hex, so that it can be sent again by hand. */
export function describeInput(input: Input): string {
  if (input.kind === "connections") {
    const { chunks, ending } = input.connection;
    return `connection: ${chunks.map((chunk) => chunk.toString("hex")).join(" ")} then ${ending}`;
  }
  const { headers, body } = input.call;
  return `headers: ${JSON.stringify(headers)}\nbody: ${body.toString("hex")}`;
}
