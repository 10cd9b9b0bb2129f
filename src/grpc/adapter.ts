// The one adapter between handlers and grpc-js; no handler touches a grpc-js call. What comes here has passed the gate
// (call-gate.ts). Invariants: every call ends with exactly one status; every error passes through statusOf; no promise
// floats, so that nothing a handler does reaches unhandledRejection; a stream holds at most one response that is under way
// and one that waits, and its source is closed on every way out.

import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Server,
  ServerWritableStream,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { deadlineExceeded, undecodableRequest } from "../domain/call-errors.ts";
import { CallContext } from "./call-context.ts";
import type { CallTracker } from "./call-tracker.ts";
import "./request-headers.ts";
import { ResponseWriter } from "./response-writer.ts";
import { type ErrorLog, statusOf } from "./status.ts";

declare const message: unique symbol;

/** A response that is serialized already; it goes to the wire as it is. */
export type Encoded<Message> = Buffer & { readonly [message]: Message };

type Method = ServiceDefinition[string] & { readonly requestStream: false };
type RequestOf<M extends Method> = ReturnType<M["requestDeserialize"]>;
type ResponseOf<M extends Method> = ReturnType<M["responseDeserialize"]>;
type MessageOrBytes<Message> = Message | Encoded<Message>;

type Answer<M extends Method> = M["responseStream"] extends true
  ? AsyncIterable<MessageOrBytes<ResponseOf<M>>>
  : MessageOrBytes<ResponseOf<M>> | Promise<MessageOrBytes<ResponseOf<M>>>;

/** A handler of the decoded request, or, as `fromBytes`, one of its bytes. */
export type Handler<M extends Method> =
  | ((request: RequestOf<M>, context: CallContext) => Answer<M>)
  | { readonly fromBytes: (request: Buffer, context: CallContext) => Answer<M> };

/** A handler for each method of a generated service definition. */
export type Implementation<Definition extends Record<string, Method>> = {
  readonly [Name in keyof Definition]: Handler<Definition[Name]>;
};

/** What the adapter needs beside the handlers. */
export interface AdapterOptions {
  readonly calls: CallTracker;
  readonly log: ErrorLog;
}

/** Serves the methods of a generated service definition. */
export function addService<Definition extends Record<string, Method>>(
  server: Server,
  definition: Definition,
  implementation: Implementation<Definition>,
  options: AdapterOptions,
): void {
  const methods = Object.entries(definition).map(([name, method]) => [name, withoutCodec(method)]);
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const name in definition) handlers[name] = adapt(definition[name], implementation[name], options);
  server.addService(Object.fromEntries(methods), handlers);
}

/** The request of a method from its bytes; throws UNDECODABLE_REQUEST. */
function decodeRequest<M extends Method>(method: M, bytes: Buffer): RequestOf<M> {
  try {
    return method.requestDeserialize(bytes);
  } catch (error) {
    throw undecodableRequest(error);
  }
}

/** A method joined with its handler: bytes in, bytes out. */
interface Endpoint extends AdapterOptions {
  readonly handle: (request: Buffer, context: CallContext) => unknown;
  readonly encode: (response: unknown) => Buffer;
}

function adapt<M extends Method>(method: M, handler: Handler<M>, options: AdapterOptions): UntypedHandleCall {
  const endpoint: Endpoint = {
    ...options,
    handle: (request, context) =>
      typeof handler === "function"
        ? handler(decodeRequest(method, request), context)
        : handler.fromBytes(request, context),
    encode: (response) => (Buffer.isBuffer(response) ? response : method.responseSerialize(response)),
  };
  return method.responseStream ? serverStreaming(endpoint) : unary(endpoint);
}

/** The method as grpc-js gets it. Left to it, decoding would answer undecodable requests with INTERNAL. */
function withoutCodec(method: Method): Method {
  const sameBytes = (bytes: Buffer): Buffer => bytes;
  return { ...method, requestDeserialize: sameBytes, responseSerialize: sameBytes };
}

// What is known at once is answered at once: a promise and a timer would cost more than the answer.
function unary(endpoint: Endpoint): handleUnaryCall<Buffer, Buffer> {
  const { handle, encode } = endpoint;
  return (call, callback) => {
    const answering = { context: new CallContext(call), callback, endpoint };
    let bytes: Buffer;
    try {
      answering.context.throwIfPastDeadline();
      const response = handle(call.request, answering.context);
      if (response instanceof Promise) return void answerLater(response, answering);
      bytes = encode(response);
    } catch (error) {
      return fail(error, answering);
    }
    succeed(bytes, answering);
  };
}

interface Answering {
  readonly context: CallContext;
  readonly callback: sendUnaryData<Buffer>;
  readonly endpoint: Endpoint;
}

/** Never rejects; when the client is gone, grpc-js ignores the answer. */
async function answerLater(response: Promise<unknown>, answering: Answering): Promise<void> {
  const { context, endpoint } = answering;
  const timer = atDeadline(context);
  let bytes: Buffer;
  try {
    // Without a deadline grpc-js itself answers for a call that ends early.
    bytes = endpoint.encode(await (timer === undefined ? response : untilAborted(response, context.signal)));
  } catch (error) {
    return fail(error, answering);
  } finally {
    clearTimeout(timer);
  }
  succeed(bytes, answering);
}

function succeed(bytes: Buffer, { context, callback }: Answering): void {
  context.end();
  context.place.beginWaiting();
  callback(null, bytes);
}

function fail(error: unknown, { context, callback, endpoint }: Answering): void {
  const status = statusOf(error, endpoint.log, context.abortReason);
  context.end();
  callback(status);
}

function serverStreaming(endpoint: Endpoint): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => void answerStream(call, endpoint);
}

/** Never rejects. */
async function answerStream(call: ServerWritableStream<Buffer, Buffer>, endpoint: Endpoint): Promise<void> {
  const { calls, log } = endpoint;
  const context = new CallContext(call);
  const timer = atDeadline(context);
  calls.hold(context);
  try {
    context.throwIfPastDeadline();
    context.signal.throwIfAborted();
    await writeResponses(call, context, endpoint);
    call.end();
  } catch (error) {
    // Only this event ends a stream with a status; destroy(error) leaves the client waiting.
    call.emit("error", statusOf(error, log, context.abortReason));
  } finally {
    context.end();
    calls.release(context);
    clearTimeout(timer);
  }
}

const MAX_BYTES_AHEAD = 128 * 1024;

/** Closes the source however it is left. */
async function writeResponses(
  call: ServerWritableStream<Buffer, Buffer>,
  context: CallContext,
  { handle, encode }: Endpoint,
): Promise<void> {
  const writer = new ResponseWriter(call, context);
  // A handler of a method with a response stream returns an AsyncIterable, by its type.
  const source = (handle(call.request, context) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  try {
    while (await writeNext(source, { writer, encode, signal: context.signal }));
  } finally {
    // Not waited for: a source that is in the middle of a query ends when that does.
    source.return?.().catch(ignore);
  }
}

/** False at the end. A function of its own, so that nothing holds a response after it was written. */
async function writeNext(
  source: AsyncIterator<unknown>,
  { writer, encode, signal }: { writer: ResponseWriter; encode: Endpoint["encode"]; signal: AbortSignal },
): Promise<boolean> {
  // The next response is made while a small one is under way: a slow client holds two small ones or a large one.
  await writer.whenUnderWay(MAX_BYTES_AHEAD);
  const { done, value } = await untilAborted(source.next(), signal);
  if (done === true) return false;
  await writer.whenUnderWay(0);
  writer.write(encode(value));
  return true;
}

/** The outcome of the work, or the signal's reason as soon as it aborts; work that is given up may still fail. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  work.catch(ignore);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function ignore(): void {}

/**
 * Aborts the call shortly before grpc-js's own timer, whose answer has no details and, on a stream, waits for a client
 * that may not read.
 */
function atDeadline(context: CallContext): NodeJS.Timeout | undefined {
  const { deadline } = context;
  if (deadline === undefined) return undefined;
  const remainingMs = deadline.getTime() - Date.now() - DEADLINE_LEAD_MS;
  return setTimeout(() => context.abort(deadlineExceeded()), Math.max(1, remainingMs));
}

const DEADLINE_LEAD_MS = 5;
