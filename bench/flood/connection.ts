import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  type Frame,
  FrameReader,
  formatCallHeaders,
  formatFrame,
  formatSettings,
  formatWindowUpdate,
  frameFlag,
  frameType,
  preface,
} from "./frames.ts";

/** What a connection tells of what the server does to it. */
export interface ConnectionEvents {
  /** The server ended a call, with an answer or without. */
  callEnded(): void;
  /** The connection is gone, and the client had no part in it; the server may never have said a word on it. */
  lost(how: { isUnheard: boolean }): void;
}

const DEFAULT_WINDOW_BYTES = 65_535;
/** Streams of clients have odd numbers. */
const FIRST_STREAM = 1;

/** A connection of the flood: a bare socket, which speaks as much HTTP/2 as it is told to. */
export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #calls = new Set<number>();
  #isLeft = false;
  #speaksHttp2 = false;
  #nextStream = FIRST_STREAM;
  #unreadBytes = 0;
  /** What waits to be sent slowly, if it is. */
  #queue: Buffer | undefined;

  constructor(address: { host: string; port: number }, events: ConnectionEvents) {
    this.#events = events;
    this.#socket = connect({ ...address, noDelay: true });
    this.#socket.on("data", (chunk) => this.#receive(chunk));
    this.#socket.on("error", ignore);
    this.#socket.on("close", () => {
      this.#clearTimers();
      if (!this.#isLeft) events.lost({ isUnheard: this.#socket.bytesRead === 0 });
    });
  }

  /** Sends bytes, whatever they are. */
  send(bytes: Uint8Array): void {
    if (this.#queue === undefined) this.#socket.write(bytes);
    else this.#queue = Buffer.concat([this.#queue, bytes]);
  }

  /** From now on a byte is sent each time. */
  slowDown(periodMs: number): void {
    this.#queue = Buffer.alloc(0);
    this.#every(periodMs, () => {
      if (this.#queue === undefined || this.#queue.length === 0) return;
      this.#socket.write(this.#queue.subarray(0, 1));
      this.#queue = this.#queue.subarray(1);
    });
  }

  /** Begins HTTP/2, as every client does; from then on settings and pings of the server are answered. */
  beginHttp2(initialWindowBytes = DEFAULT_WINDOW_BYTES): void {
    this.#speaksHttp2 = true;
    this.send(Buffer.concat([preface, formatSettings(initialWindowBytes)]));
  }

  /** Begins a call of a method by its path; answers its stream. */
  beginCall(path: string): number {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#calls.add(stream);
    this.send(formatCallHeaders(stream, path));
    return stream;
  }

  /** Sends a part of the request of a call, which stays open. */
  sendPart(stream: number, payload: Buffer): void {
    this.send(formatFrame({ type: frameType.data, stream, payload }));
  }

  /** Sends the rest of the request of a call. */
  endCall(stream: number, payload: Buffer): void {
    this.send(formatFrame({ type: frameType.data, flags: frameFlag.endStream, stream, payload }));
  }

  /** Each time, takes what has been received on a call, by which the server may send as much again. */
  readEvery(periodMs: number, stream: number): void {
    this.#every(periodMs, () => {
      if (this.#unreadBytes === 0) return;
      this.send(Buffer.concat([0, stream].map((each) => formatWindowUpdate(each, this.#unreadBytes))));
      this.#unreadBytes = 0;
    });
  }

  /** Whether it had calls, and the server ended all of them. */
  get hasOnlyEndedCalls(): boolean {
    return this.#nextStream > FIRST_STREAM && this.#calls.size === 0;
  }

  /** Vanishes without a farewell. */
  reset(): void {
    this.#isLeft = true;
    this.#socket.resetAndDestroy();
  }

  /** Closes the connection; resolves when it is closed. */
  async close(): Promise<void> {
    this.#isLeft = true;
    if (this.#socket.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  #every(periodMs: number, action: () => void): void {
    this.#timers.push(setInterval(action, periodMs));
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #receive(chunk: Buffer): void {
    if (!this.#speaksHttp2) return;
    for (const frame of this.#reader.read(chunk)) this.#take(frame);
  }

  #take({ type, flags, stream, payload }: Frame): void {
    const isAck = (flags & frameFlag.ack) !== 0;
    if (type === frameType.settings && !isAck) this.send(formatFrame({ type, flags: frameFlag.ack }));
    if (type === frameType.ping && !isAck) this.send(formatFrame({ type, flags: frameFlag.ack, payload }));
    if (type === frameType.data) this.#unreadBytes += payload.length;
    if (endsStream({ type, flags }) && this.#calls.delete(stream)) this.#events.callEnded();
  }
}

function endsStream({ type, flags }: Pick<Frame, "type" | "flags">): boolean {
  if (type === frameType.resetStream) return true;
  const carriesCall = type === frameType.data || type === frameType.headers;
  return carriesCall && (flags & frameFlag.endStream) !== 0;
}

function ignore(): void {}
