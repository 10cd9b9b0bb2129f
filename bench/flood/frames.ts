// As much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as a client needs that does not behave.

const HEADER_BYTES = 9;

/** The types of frames that are spoken here. */
export const frameType = { data: 0, headers: 1, resetStream: 3, settings: 4, ping: 6, windowUpdate: 8 } as const;

/** The flags of frames; what 1 means depends on the type. */
export const frameFlag = { ack: 1, endStream: 1, endHeaders: 4 } as const;

/** A frame; stream 0 is the connection. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What a client sends before its first frame. */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A frame as it goes over the wire. */
export function formatFrame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: FrameParts): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

type FrameParts = Pick<Frame, "type"> & Partial<Frame>;

/** A SETTINGS frame that lets the server send so many bytes on each stream. */
export function formatSettings(initialWindowBytes: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  payload.writeUInt32BE(initialWindowBytes, 2);
  return formatFrame({ type: frameType.settings, payload });
}

const INITIAL_WINDOW_SIZE = 4;

/** A WINDOW_UPDATE frame, by which the server may send so many bytes more. */
export function formatWindowUpdate(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return formatFrame({ type: frameType.windowUpdate, stream, payload });
}

/** The HEADERS frame that begins a gRPC call of a method by its path. */
export function formatCallHeaders(stream: number, path: string): Buffer {
  const payload = Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST and :scheme http, from the static table
    Buffer.from([0x01]), // :authority
    formatText("localhost"),
    Buffer.from([0x04]), // :path
    formatText(path),
    Buffer.from([0x0f, 0x10]), // content-type
    formatText("application/grpc"),
    Buffer.from([0x00]), // a name that the table does not have
    formatText("te"),
    formatText("trailers"),
  ]);
  return formatFrame({ type: frameType.headers, flags: frameFlag.endHeaders, stream, payload });
}

/** Up to 126 characters, which need no longer length. */
function formatText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

/** A gRPC message, not compressed, with its length before it. */
export function formatMessage(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Cuts what is received into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are complete with this chunk. */
  *read(chunk: Buffer): Generator<Frame, void, undefined> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      const bytes = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      yield parseFrame(bytes);
    }
  }
}

function parseFrame(bytes: Buffer): Frame {
  return {
    type: bytes.readUInt8(3),
    flags: bytes.readUInt8(4),
    stream: bytes.readUInt32BE(5) & 0x7fffffff,
    payload: bytes.subarray(HEADER_BYTES),
  };
}
