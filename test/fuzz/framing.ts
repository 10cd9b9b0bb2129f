// Messages the way that gRPC puts them into the body of a call, right and wrong.

import { deflateSync, gzipSync } from "node:zlib";
import type { Random } from "../hammer/random.ts";
import { anyBytes, between, pick, repeat } from "./choice.ts";
import type { Header } from "./input.ts";

/** A body and the headers that say how to read it. */
export interface Framed {
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

const MIB = 1024 * 1024;
const bomb = gzipSync(Buffer.alloc(16 * MIB), { level: 9 });
const bombWithinLimit = gzipSync(Buffer.alloc(3 * MIB), { level: 9 });

const framings = {
  plain: { weight: 80, make: (_: Random, message: Buffer): Framed => plain(frame(message)) },
  compressed: { weight: 5, make: compressed },
  brokenCompression: { weight: 5, make: brokenCompression },
  bomb: { weight: 0.2, make: (random: Random) => encoded("gzip", pick(random, [bomb, bombWithinLimit])) },
  wrongLength: { weight: 4, make: (random: Random, message: Buffer) => plain(wrongLength(random, message)) },
  wrongFlag: { weight: 2, make: (random: Random, message: Buffer) => plain(frame(message, between(random, 1, 255))) },
  none: { weight: 1, make: (random: Random): Framed => plain(anyBytes(random, random.below(6))) },
  several: { weight: 2, make: several },
} as const;

const weights = Object.fromEntries(Object.entries(framings).map(([name, { weight }]) => [name, weight]));

/** The message in a body, mostly as it should be. */
export function frameSomehow(random: Random, message: Buffer): Framed {
  const name = random.weighted(weights) as keyof typeof framings; // Object.fromEntries widens the keys.
  return framings[name].make(random, message);
}

/** The message after its flag and its length. */
export function frame(message: Buffer, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

function plain(body: Buffer): Framed {
  return { headers: [], body };
}

function encoded(encoding: string, message: Buffer): Framed {
  return { headers: [["grpc-encoding", encoding]], body: frame(message, 1) };
}

function compressed(random: Random, message: Buffer): Framed {
  return random.percent(50) ? encoded("gzip", gzipSync(message)) : encoded("deflate", deflateSync(message));
}

function brokenCompression(random: Random, message: Buffer): Framed {
  const encoding = pick(random, ["gzip", "deflate", "identity", "br", "zstd", "", "GZIP", "gzip, deflate"]);
  const whole = gzipSync(message);
  const contents = [
    whole,
    whole.subarray(0, random.below(whole.length)),
    Buffer.concat([whole, anyBytes(random, 8)]),
    Buffer.concat([whole, whole]),
    gzipSync(whole),
    message,
    anyBytes(random, 40),
    Buffer.alloc(0),
  ];
  return encoded(encoding, pick(random, contents));
}

function wrongLength(random: Random, message: Buffer): Buffer {
  const { length } = message;
  const lengths = [length + 1, length + between(random, 1, 1000), random.below(length + 1), 4 * MIB, 4 * MIB + 1];
  return frame(message, 0, pick(random, [...lengths, 2 ** 31, 2 ** 32 - 1]));
}

function several(random: Random, message: Buffer): Framed {
  const messages = repeat(between(random, 2, 30), () => frame(random.percent(50) ? message : Buffer.alloc(0)));
  return plain(Buffer.concat(messages));
}
