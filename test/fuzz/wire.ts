// The wire format of protobuf without a schema: enough to take a message apart and to write wrong ones.

/** How the bytes of a field are delimited. */
export const WireType = { VARINT: 0, FIXED64: 1, BYTES: 2, START_GROUP: 3, END_GROUP: 4, FIXED32: 5 } as const;

/** A field of a message; `bytes` has no length before it. */
export interface Field {
  readonly number: number;
  readonly type: number;
  readonly bytes: Buffer;
}

/** The fields of a message; undefined when the bytes are no message without groups. */
export function parseFields(bytes: Buffer): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    const end = tag && endOfPayload(bytes, tag.end, tag.value % 8);
    if (tag === undefined || end === undefined || end.to > bytes.length) return undefined;
    fields.push({ number: Math.floor(tag.value / 8), type: tag.value % 8, bytes: bytes.subarray(end.from, end.to) });
    at = end.to;
  }
  return fields;
}

/** The bytes of a field, with its tag and, where its type has one, its length. */
export function writeField({ number, type, bytes }: Field): Buffer {
  const length = type === WireType.BYTES ? varint(bytes.length) : Buffer.alloc(0);
  return Buffer.concat([tagOf(number, type), length, bytes]);
}

/** The bytes of a field of text, of bytes or of a message. */
export function bytesField(number: number, bytes: Uint8Array | string): Buffer {
  return writeField({ number, type: WireType.BYTES, bytes: Buffer.from(bytes) });
}

/** The tag before a field. */
export function tagOf(number: number, type: number): Buffer {
  return varint(BigInt(number) * 8n + BigInt(type));
}

/** The shortest varint of a number that is not negative. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt(value);
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  bytes.push(Number(left));
  return Buffer.from(bytes);
}

function endOfPayload(bytes: Buffer, from: number, type: number): { from: number; to: number } | undefined {
  switch (type) {
    case WireType.VARINT: {
      const end = readVarint(bytes, from)?.end;
      return end === undefined ? undefined : { from, to: end };
    }
    case WireType.FIXED64:
      return { from, to: from + 8 };
    case WireType.FIXED32:
      return { from, to: from + 4 };
    case WireType.BYTES: {
      const length = readVarint(bytes, from);
      return length && { from: length.end, to: length.end + length.value };
    }
    default:
      return undefined;
  }
}

function readVarint(bytes: Buffer, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = start; at < start + 10; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * (at - start));
    if (byte < 128) return { value, end: at + 1 };
  }
  return undefined;
}
