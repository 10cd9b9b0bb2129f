// The gate that each call passes with its headers, before anything of its message is read: its caller is known, or refused;
// it has a place, or is refused; and then its message has to come in time. So a stranger, or one call too many, costs no more
// than its headers. What is open to strangers, health and reflection, has small bounds.

import { constants } from "node:http2";
import type { PeerCertificate } from "node:tls";
import type {
  Metadata,
  ServerInterceptingCall,
  ServerInterceptingCallInterface,
  ServerInterceptor,
} from "@grpc/grpc-js";
import type { Authenticate, Credentials } from "../access/authenticator.ts";
import { requestTooLarge, tooManyCalls } from "../domain/call-errors.ts";
import { anybody, type Caller } from "../domain/caller.ts";
import { ObservedCall, type ObserverOptions } from "./call-observer.ts";
import { type CallKind, type CallTracker, Place } from "./call-tracker.ts";
import { answerInOwnWords, streamOf } from "./grpc-js-status.ts";
import { type Answer, type ErrorLog, statusOf } from "./status.ts";

/** What decides at the gate. */
export interface GateOptions {
  readonly calls: CallTracker;
  readonly authenticate: Authenticate;
  /** As what a method (`/package.Service/Method`) is open to strangers; undefined: it is not. */
  readonly openAs: (path: string) => OpenKind | undefined;
  readonly log: ErrorLog;
  readonly observer: ObserverOptions;
}

/** What is open to strangers, each within bounds of its own. */
export type OpenKind = "health" | "reflection";

/** What a call has when it passed. */
export interface Pass {
  readonly caller: Caller;
  readonly place: Place;
  readonly observed: ObservedCall;
}

/** Told of what comes in of a call; grpc-js does not export its type. */
type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

const REQUEST_PATIENCE_MS = 30_000;

// What a stranger may send in one call; the names of services are shorter.
const OPEN_REQUEST_BYTES = { health: 1024, reflection: 16 * 1024 };

// A client that asks and does not read would have its answers kept for it.
const MAX_UNREAD_ANSWERS = 100;

// On the metadata itself, which is made for one call: a weak map of all of them would cost each garbage collection.
const PASS = Symbol("pass");

type PassedMetadata = Metadata & { [PASS]?: Pass };

/** What the call with this metadata has; every call that reaches a handler has passed the gate. */
export function passOf(metadata: PassedMetadata): Pass {
  const pass = metadata[PASS];
  if (pass === undefined) throw new Error("a call came to its handler without passing the gate");
  return pass;
}

/** The gate as an interceptor of a server, its first. */
export function createGate(options: GateOptions): ServerInterceptor {
  // There are as many as the server has handlers.
  const methods = new Map<string, Method>();
  return ({ path, responseStream }, call) => {
    let method = methods.get(path);
    if (method === undefined) {
      const open = options.openAs(path);
      method = { path, kind: open ?? (responseStream ? "listings" : "calls"), open };
      methods.set(path, method);
    }
    const start = call.start.bind(call);
    call.start = (next) => start(new GatedCall(call, { method, next, options }));
    // grpc-js takes any call. Its type is that of a wrapper around one, which would cost as much as the gate itself.
    return call as ServerInterceptingCall;
  };
}

interface Method {
  readonly path: string;
  readonly kind: CallKind;
  readonly open: OpenKind | undefined;
}

/** Looked at only where somebody is asked who they are. */
class ShownCredentials implements Credentials {
  readonly #call: ServerInterceptingCallInterface;
  readonly #metadata: Metadata;

  constructor(call: ServerInterceptingCallInterface, metadata: Metadata) {
    this.#call = call;
    this.#metadata = metadata;
  }

  get authorization(): string | undefined {
    const [value] = this.#metadata.get("authorization");
    return value === undefined ? undefined : String(value);
  }

  /** grpc-js answers one that TLS has verified, and no other. */
  get certificate(): PeerCertificate | undefined {
    return this.#call.getAuthContext().sslPeerCertificate;
  }
}

/** Listens to what comes in of one call, and passes it on. */
class GatedCall implements Listener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #next: Listener;
  readonly #method: Method;
  readonly #options: GateOptions;
  readonly #place: Place;
  #observed: ObservedCall | undefined;
  #isAdmitted = false;
  #isOver = false;

  constructor(
    call: ServerInterceptingCallInterface,
    { method, next, options }: { method: Method; next: Listener; options: GateOptions },
  ) {
    this.#call = call;
    this.#next = next;
    this.#method = method;
    this.#options = options;
    this.#place = new Place(method.kind, (reason) => this.#end(reason));
    answerInOwnWords(call, { log: options.log, onAnswer: (answer) => this.#answered(answer) });
  }

  onReceiveMetadata(metadata: PassedMetadata): void {
    const { path, open } = this.#method;
    this.#observed = new ObservedCall(this.#options.observer, this.#call, path, metadata);
    try {
      if (open !== undefined) this.#bound(open);
      const caller =
        open === undefined ? this.#options.authenticate(new ShownCredentials(this.#call, metadata)) : anybody;
      // Without a promise where there is no need of one.
      if (caller instanceof Promise) void this.#enterAs(caller, this.#observed, metadata);
      else this.#enter(caller, this.#observed, metadata);
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #enterAs(caller: Promise<Caller>, observed: ObservedCall, metadata: PassedMetadata): Promise<void> {
    try {
      this.#enter(await caller, observed, metadata);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #enter(caller: Caller, observed: ObservedCall, metadata: PassedMetadata): void {
    if (this.#isOver) return;
    this.#options.calls.admit(this.#place);
    this.#isAdmitted = true;
    observed.calledBy(caller.name);
    metadata[PASS] = { caller, place: this.#place, observed };
    // Reflection is a stream of questions, which may take their time.
    this.#place.expectMessage(this.#method.open === "reflection" ? Infinity : REQUEST_PATIENCE_MS);
    this.#next.onReceiveMetadata(metadata);
  }

  #bound(open: OpenKind): void {
    let receivedBytes = 0;
    streamOf(this.#call).on("data", (bytes: Buffer) => {
      receivedBytes += bytes.length;
      if (receivedBytes > OPEN_REQUEST_BYTES[open]) this.#end(requestTooLarge());
    });
    const send = this.#call.sendMessage.bind(this.#call);
    let unread = 0;
    this.#call.sendMessage = (message, done) => {
      unread += 1;
      if (unread > MAX_UNREAD_ANSWERS) return this.#end(tooManyCalls(open, MAX_UNREAD_ANSWERS));
      send(message, () => {
        unread -= 1;
        done();
      });
    };
  }

  onReceiveMessage(message: unknown): void {
    if (!this.#isOver) this.#next.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    this.#place.endWaiting();
    if (!this.#isOver) this.#next.onReceiveHalfClose();
  }

  /** grpc-js tells so of the end of every call, the successful ones included. */
  onCancel(): void {
    this.#isOver = true;
    if (this.#isAdmitted) this.#options.calls.leave(this.#place);
    this.#observed?.end();
    this.#next.onCancel();
  }

  // On a stream that its client has left grpc-js sends nothing.
  #answered(answer: Answer): void {
    if (!streamOf(this.#call).closed) this.#observed?.answered(answer);
  }

  #refuse(error: unknown): void {
    this.#call.sendStatus(statusOf(error, this.#options.log));
  }

  // A client that does not read never gets its status; one that does not send may go on. Both are cut off.
  #end(error: unknown): void {
    this.#refuse(error);
    setImmediate(() => streamOf(this.#call).close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }
}
