// Frames of HTTP/2 and header blocks of HPACK as bytes, with nothing that keeps them from being wrong.

import type { Header } from "./input.ts";

/** What a client says first on every connection. */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The types of frames (RFC 9113, section 6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** The flags of frames; ACK has the bit of END_STREAM. */
export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

/** What is before the payload of a frame. */
export interface FrameHead {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  /** The length that is told, if it is not that of the payload. */
  readonly length?: number;
}

/** A frame. */
export function writeFrame(
  { type, flags = 0, stream = 0, length }: FrameHead,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE((length ?? payload.length) & 0xffffff, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block in which every header is written out and nothing is indexed. */
export function writeHeaderBlock(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), writeText(name), writeText(value)]));
}

/** An integer with a prefix of so many bits (RFC 7541, section 5.1). */
export function writeInteger(value: number, prefixBits: number, pattern = 0): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(pattern | value);
  const bytes = [pattern | most];
  let left = value - most;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Buffer.from([...bytes, left]);
}

/** A call whose whole request is in the frames. */
export function writeCall(stream: number, headers: readonly Header[], body: Buffer): Buffer[] {
  const block = writeHeaderBlock(headers);
  const parts = chunksOf(block, MAX_FRAME);
  const head = parts.map((part, index) => {
    const flags = index === parts.length - 1 ? Flag.END_HEADERS : 0;
    return writeFrame({ type: index === 0 ? FrameType.HEADERS : FrameType.CONTINUATION, flags, stream }, part);
  });
  const data = chunksOf(body, MAX_FRAME).map((part) => writeFrame({ type: FrameType.DATA, stream }, part));
  return [...head, ...data, writeFrame({ type: FrameType.DATA, flags: Flag.END_STREAM, stream })];
}

const MAX_FRAME = 16_384;

function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

function writeText(text: string): Buffer {
  return Buffer.concat([writeInteger(text.length, 7), Buffer.from(text, "latin1")]);
}
