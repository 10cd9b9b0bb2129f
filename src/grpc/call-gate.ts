// The gate that each call of the registry passes with its headers, before anything of its message is read: its caller is
// known, or refused; it has a place, or is refused; and then its message has to come in time. So a stranger, or one call
// too many, costs no more than its headers.

import { constants } from "node:http2";
import type { PeerCertificate } from "node:tls";
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
} from "@grpc/grpc-js";
import type { Authenticate, Credentials } from "../access/authenticator.ts";
import type { Caller } from "../domain/caller.ts";
import { requestTimeout } from "../domain/errors.ts";
import { ObservedCall, type ObserverOptions } from "./call-observer.ts";
import { type CallKind, type CallTracker, Place } from "./call-tracker.ts";
import { answerInOwnWords, streamOf } from "./grpc-js-status.ts";
import { type ErrorLog, statusOf } from "./status.ts";

/** What decides at the gate. */
export interface GateOptions {
  readonly calls: CallTracker;
  readonly authenticate: Authenticate;
  /** Whether a method (`/package.Service/Method`) is behind the gate; health, for one, is not. */
  readonly isGuarded: (path: string) => boolean;
  readonly log: ErrorLog;
  readonly observer: ObserverOptions;
}

/** What a call has when it passed. */
export interface Pass {
  readonly caller: Caller;
  readonly place: Place;
  readonly observed: ObservedCall;
}

const REQUEST_PATIENCE_SECONDS = 30;

// On the metadata itself, which is made for one call: a weak map of all of them would cost each garbage collection.
const PASS = Symbol("pass");

type PassedMetadata = Metadata & { [PASS]?: Pass };

/** What the call with this metadata has; every call of the registry that reaches a handler has passed the gate. */
export function passOf(metadata: PassedMetadata): Pass {
  const pass = metadata[PASS];
  if (pass === undefined) throw new Error("a call came to its handler without passing the gate");
  return pass;
}

/** The gate as an interceptor of a server, its first. */
export function createGate(options: GateOptions): ServerInterceptor {
  return ({ path, responseStream }, call) => {
    const listener = new GatedCall(call, { path, kind: responseStream ? "listings" : "calls" }, options);
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
}

interface Method {
  readonly path: string;
  readonly kind: CallKind;
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

/** Listens to what comes in of one call. */
class GatedCall implements ServerListener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #method: Method;
  readonly #options: GateOptions;
  readonly #place: Place;
  #observed: ObservedCall | undefined;
  #giveUpPlace: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(call: ServerInterceptingCallInterface, method: Method, options: GateOptions) {
    this.#call = call;
    this.#method = method;
    this.#options = options;
    this.#place = new Place(method.kind, this.#end);
    answerInOwnWords(call, { log: options.log, onAnswer: (answer) => this.#observed?.answered(answer) });
  }

  readonly onReceiveMetadata = (metadata: Metadata, next: (metadata: Metadata) => void): void => {
    const { path } = this.#method;
    const observed = new ObservedCall(this.#options.observer, this.#call, path, metadata);
    this.#observed = observed;
    if (this.#options.isGuarded(path)) this.#guard(observed, metadata, next);
    else next(metadata);
  };

  #guard(observed: ObservedCall, metadata: PassedMetadata, next: (metadata: Metadata) => void): void {
    const enter = (caller: Caller) => {
      if (this.#isOver) return;
      this.#giveUpPlace = this.#options.calls.admit(this.#place);
      observed.calledBy(caller.name);
      metadata[PASS] = { caller, place: this.#place, observed };
      this.#expectMessage();
      next(metadata);
    };
    try {
      const caller = this.#options.authenticate(new ShownCredentials(this.#call, metadata));
      // Without a promise where there is no need of one.
      if (caller instanceof Promise) caller.then(enter).catch(this.#refuse);
      else enter(caller);
    } catch (error) {
      this.#refuse(error);
    }
  }

  readonly onReceiveHalfClose = (next: () => void): void => {
    this.#place.endWaiting();
    clearTimeout(this.#patience);
    next();
  };

  /** grpc-js tells so of the end of every call, the successful ones included. */
  readonly onCancel = (): void => {
    this.#isOver = true;
    clearTimeout(this.#patience);
    this.#giveUpPlace?.();
    this.#observed?.end();
  };

  #expectMessage(): void {
    this.#place.beginWaiting();
    this.#patience = setTimeout(this.#onTimeout, REQUEST_PATIENCE_SECONDS * 1000);
  }

  readonly #onTimeout = (): void => {
    this.#end(requestTimeout(REQUEST_PATIENCE_SECONDS));
  };

  readonly #refuse = (error: unknown): void => {
    this.#call.sendStatus(statusOf(error, this.#options.log));
  };

  // A client that does not read never gets its status; one that does not send may go on. Both are cut off.
  readonly #end = (error: unknown): void => {
    this.#refuse(error);
    setImmediate(() => streamOf(this.#call).close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
  };
}
