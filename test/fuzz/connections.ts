import type { Random } from "../hammer/random.ts";
import { anyBytes, between, pick, repeat } from "./choice.ts";
import type { Corpus } from "./corpus.ts";
import { Flag, FrameType, preface, writeCall, writeFrame, writeHeaderBlock, writeInteger } from "./frames.ts";
import { headerInput } from "./header-blocks.ts";
import type { Connection, Header, HttpCall } from "./input.ts";
import { messageInput } from "./messages.ts";
import { mutateBytes } from "./mutation.ts";

interface FrameSource {
  readonly random: Random;
  readonly corpus: Corpus;
  /** The next stream that a client may open. */
  readonly stream: number;
}

const clientHello = Buffer.from("16030100c6010000c20303", "hex");
const MAX_UINT32 = 2 ** 32 - 1;
const errorCodes = [0, 1, 8, 11, 14, MAX_UINT32];

const frames: readonly ((source: FrameSource) => Buffer)[] = [
  writeWholeCall,
  writeWholeCall,
  writeWholeCall,
  writeSettings,
  writeBrokenHeaders,
  writeContinuations,
  writeData,
  writePings,
  writeResets,
  writeWindowUpdate,
  writePriority,
  ({ random }) => writeFrame({ type: FrameType.GOAWAY }, uint32s(random.below(9), pick(random, errorCodes))),
  ({ random, stream }) => writeFrame({ type: FrameType.PUSH_PROMISE, stream }, anyBytes(random, random.below(30))),
  ({ random }) => writeFrame({ type: random.below(256), flags: random.below(256) }, anyBytes(random, random.below(40))),
];

/** A connection that mostly begins as it should, and then anything. */
export function connectionInput(random: Random, corpus: Corpus): Connection {
  const opening = pickOpening(random);
  const parts = repeat(between(random, 0, 10), () => random.fraction()).map((_, index) => {
    const bytes = pick(random, frames)({ random, corpus, stream: 2 * index + 1 });
    return random.percent(25) ? damage(random, bytes) : bytes;
  });
  return {
    chunks: splitUp(random, Buffer.concat([opening, ...parts])),
    ending: random.percent(50) ? "close" : "reset",
  };
}

/** A call of which no client library would write the headers. */
export function callAsConnection({ headers, body }: HttpCall): Connection {
  const settings = writeFrame({ type: FrameType.SETTINGS });
  return { chunks: [Buffer.concat([preface, settings, ...writeCall(1, headers, body)])], ending: "close" };
}

function pickOpening(random: Random): Buffer {
  const right = Buffer.concat([preface, writeFrame({ type: FrameType.SETTINGS })]);
  switch (random.weighted({ right: 85, bare: 3, truncated: 3, wrong: 3, tls: 3, http1: 3 })) {
    case "right":
      return right;
    case "bare":
      return preface;
    case "truncated":
      return preface.subarray(0, random.below(preface.length));
    case "wrong":
      return mutateBytes(random, right, clientHello);
    case "tls":
      return Buffer.concat([clientHello, anyBytes(random, random.below(300))]);
    case "http1":
      return Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
  }
}

function damage(random: Random, bytes: Buffer): Buffer {
  const damaged = mutateBytes(random, bytes, preface);
  if (damaged.length < 9 || random.percent(50)) return damaged;
  // The frame's length, type, flags or stream.
  const copy = Buffer.from(damaged);
  copy.writeUInt8(random.below(256), random.below(9));
  return copy;
}

function splitUp(random: Random, bytes: Buffer): Buffer[] {
  const cuts = repeat(random.below(3), () => random.below(bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index])).filter(({ length }) => length > 0);
}

function writeWholeCall({ random, corpus, stream }: FrameSource): Buffer {
  const { headers, body } = random.percent(50) ? messageInput(random, corpus) : headerInput(random, corpus);
  return Buffer.concat(writeCall(stream, headers, body));
}

function writeSettings({ random }: FrameSource): Buffer {
  const values = [0, 1, 16_383, 16_384, 2 ** 24, 2 ** 31 - 1, 2 ** 31, MAX_UINT32];
  const settings = repeat(pick(random, [0, 1, 2, 5, 300]), () => {
    const setting = Buffer.alloc(6);
    setting.writeUInt16BE(random.below(10));
    setting.writeUInt32BE(pick(random, values), 2);
    return setting;
  });
  const flags = random.percent(20) ? Flag.ACK : 0;
  return writeFrame({ type: FrameType.SETTINGS, flags }, Buffer.concat(settings));
}

function writeBrokenHeaders({ random, corpus, stream }: FrameSource): Buffer {
  const block = writeHeaderBlock(headerInput(random, corpus).headers);
  const blocks = [
    mutateBytes(random, block, preface),
    Buffer.concat([writeInteger(pick(random, [4096, 2 ** 31, 2 ** 50]), 5, 0x20), block]),
    Buffer.concat([writeInteger(pick(random, [0, 61, 62, 1000, 2 ** 40]), 7, 0x80), block]),
    Buffer.concat([block, Buffer.of(0, 0x80 | between(random, 1, 40)), anyBytes(random, 40)]),
    anyBytes(random, random.below(100)),
  ];
  const flags = pick(random, [Flag.END_HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 0, random.below(256)]);
  return writeFrame({ type: FrameType.HEADERS, flags, stream }, pick(random, blocks));
}

function writeContinuations({ random, stream }: FrameSource): Buffer {
  const part = random.percent(50) ? Buffer.alloc(0) : writeHeaderBlock([anyHeader(random)]);
  const all = repeat(pick(random, [1, 3, 30, 300]), () => writeFrame({ type: FrameType.CONTINUATION, stream }, part));
  const end = writeFrame({ type: FrameType.CONTINUATION, flags: Flag.END_HEADERS, stream });
  return Buffer.concat([writeFrame({ type: FrameType.HEADERS, stream }), ...all, ...(random.percent(50) ? [end] : [])]);
}

function anyHeader(random: Random): Header {
  return ["x", "y".repeat(random.below(1000))];
}

function writeData({ random, stream }: FrameSource): Buffer {
  const flags = random.percent(50) ? Flag.END_STREAM : random.below(16);
  const payload = anyBytes(random, random.below(200));
  return writeFrame({ type: FrameType.DATA, flags, stream: pick(random, [0, 1, stream, stream + 1]) }, payload);
}

function writePings({ random }: FrameSource): Buffer {
  const payload = anyBytes(random, random.percent(80) ? 8 : random.below(20));
  const flags = random.percent(30) ? Flag.ACK : 0;
  return Buffer.concat(repeat(pick(random, [1, 2, 300]), () => writeFrame({ type: FrameType.PING, flags }, payload)));
}

/** One reset, or streams that are opened and reset at once. */
function writeResets({ random, corpus, stream }: FrameSource): Buffer {
  const reset = (id: number) =>
    writeFrame({ type: FrameType.RST_STREAM, stream: id }, uint32s(pick(random, errorCodes)));
  if (random.percent(70)) return reset(pick(random, [0, 1, stream, 2 ** 31 - 1]));
  const block = writeHeaderBlock(messageInput(random, corpus).headers);
  const open = (id: number) => writeFrame({ type: FrameType.HEADERS, flags: Flag.END_HEADERS, stream: id }, block);
  const ids = Array.from({ length: between(random, 10, 100) }, (_, index) => stream + 100 + 2 * index);
  return Buffer.concat(ids.flatMap((id) => [open(id), reset(id)]));
}

function writeWindowUpdate({ random, stream }: FrameSource): Buffer {
  const increment = pick(random, [0, 1, 65_535, 2 ** 31 - 1, MAX_UINT32]);
  return writeFrame({ type: FrameType.WINDOW_UPDATE, stream: pick(random, [0, 1, stream]) }, uint32s(increment));
}

function writePriority({ random, stream }: FrameSource): Buffer {
  const payload = Buffer.concat([uint32s(pick(random, [0, 1, stream, MAX_UINT32])), anyBytes(random, 1)]);
  return writeFrame({ type: FrameType.PRIORITY, stream: pick(random, [0, 1, stream]) }, payload);
}

function uint32s(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, 4 * index);
  });
  return bytes;
}
