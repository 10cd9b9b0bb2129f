// A gRPC call straight over node:http2, for callers that must cost little.

import { type ClientHttp2Session, constants, type OutgoingHttpHeaders } from "node:http2";

/** What is called with. */
export interface RawRequest {
  readonly path: string;
  /** The message with its prefix of five bytes, as `frameMessage` makes it. */
  readonly body: Buffer;
}

/** Told each message of a call; false ends the call. */
export type MessageListener = (message: Buffer) => boolean;

const PREFIX_BYTES = 5;

/** A message as gRPC sends it: not compressed, its length, its bytes. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Calls and answers the grpc-status, or "cancelled" when the listener ended the call. */
export async function callRaw(
  session: ClientHttp2Session,
  { path, body }: RawRequest,
  onMessage?: MessageListener,
): Promise<string> {
  const stream = session.request(headersFor(path));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let status = "none";
  const readStatus = (headers: { "grpc-status"?: unknown }) => {
    status = String(headers["grpc-status"] ?? status);
  };
  stream.on("response", readStatus);
  stream.on("trailers", readStatus);
  stream.on("error", reject);
  stream.on("close", () => resolve(status));
  if (onMessage === undefined) stream.resume();
  else {
    const messages = new MessageAssembler();
    stream.on("data", (chunk: Buffer) => {
      if (messages.add(chunk).every(onMessage)) return;
      status = "cancelled";
      stream.close(constants.NGHTTP2_CANCEL);
    });
  }
  stream.end(body);
  return await promise;
}

function headersFor(path: string): OutgoingHttpHeaders {
  return { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
}

/** Puts messages together from the pieces in which they come. */
export class MessageAssembler {
  #pieces: Buffer[] = [];
  #sizeBytes = 0;
  #neededBytes = PREFIX_BYTES;

  /** The messages that are whole with this piece. */
  add(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#sizeBytes += piece.length;
    const messages: Buffer[] = [];
    while (this.#sizeBytes >= this.#neededBytes) {
      const bytes = this.#pieces.length === 1 ? (this.#pieces[0] ?? piece) : Buffer.concat(this.#pieces);
      const end = PREFIX_BYTES + bytes.readUInt32BE(1);
      this.#keep(bytes);
      if (bytes.length < end) this.#neededBytes = end;
      else {
        messages.push(bytes.subarray(PREFIX_BYTES, end));
        this.#keep(bytes.subarray(end));
      }
    }
    return messages;
  }

  #keep(bytes: Buffer): void {
    this.#pieces = [bytes];
    this.#sizeBytes = bytes.length;
    this.#neededBytes = PREFIX_BYTES;
  }
}
