// Fields of messages, written by hand where a general encoder would cost more than all else. On the wire a field is its
// tag and its value; text and messages have their length between them. Tags are of one byte, as those of the fields 1
// to 15 are. What proto3 leaves out, because it is absent, empty or 0, has no size and is not written.

/** The size of a field of so many bytes. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** The size of a field of a serialized message. */
export function messageFieldSize(message: Uint8Array | undefined): number {
  return message === undefined ? 0 : fieldSize(message.length);
}

/** The size of a field of text. */
export function textFieldSize(text: string): number {
  return text === "" ? 0 : fieldSize(Buffer.byteLength(text));
}

/** The size of a field of a number, a safe integer that is not negative. */
export function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Writes a field of a serialized message and answers where it ends. */
export function writeMessageField(bytes: Buffer, at: number, tag: number, message: Uint8Array | undefined): number {
  if (message === undefined) return at;
  const start = writeFieldStart(bytes, at, tag, message.length);
  bytes.set(message, start);
  return start + message.length;
}

/** Writes a field of text and answers where it ends. */
export function writeTextField(bytes: Buffer, at: number, tag: number, text: string): number {
  if (text === "") return at;
  const start = writeFieldStart(bytes, at, tag, Buffer.byteLength(text));
  return start + bytes.write(text, start);
}

/** Writes a field of a number and answers where it ends. */
export function writeNumberField(bytes: Buffer, at: number, tag: number, value: number): number {
  return value === 0 ? at : writeFieldStart(bytes, at, tag, value);
}

/** Writes a tag and the length of what is to follow, and answers where that begins. */
export function writeFieldStart(bytes: Buffer, at: number, tag: number, length: number): number {
  bytes[at] = tag;
  let next = at + 1;
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) {
    bytes[next] = (rest % 0x80) | 0x80;
    next += 1;
  }
  bytes[next] = rest;
  return next + 1;
}

// By division, because shifts have 32 bits and the seconds of the year 2038 no longer do.
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}
