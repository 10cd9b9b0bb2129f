// The gate that each call of the registry passes with its headers, before anything of its message is read: it is counted,
// and refused where there are too many; its caller is known, or refused; and then its message has to come in time. So a
// stranger, or one call too many, costs no more than its headers.

import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
} from "@grpc/grpc-js";
import type { Authenticate } from "../access/authenticator.ts";
import type { Caller } from "../domain/caller.ts";
import { requestTimeout } from "../domain/errors.ts";
import type { CallKind, CallTracker } from "./call-tracker.ts";
import { answerInOwnWords } from "./grpc-js-status.ts";
import { type ErrorLog, statusOf } from "./status.ts";

/** What decides at the gate. */
export interface GateOptions {
  readonly calls: CallTracker;
  readonly authenticate: Authenticate;
  /** Whether a method (`/package.Service/Method`) is behind the gate; health, for one, is not. */
  readonly isGuarded: (path: string) => boolean;
  readonly log: ErrorLog;
}

const REQUEST_PATIENCE_SECONDS = 30;

const callers = new WeakMap<Metadata, Caller>();

/** Who makes the call with this metadata; every call of the registry that reaches a handler has passed the gate. */
export function callerOf(metadata: Metadata): Caller {
  const caller = callers.get(metadata);
  if (caller === undefined) throw new Error("a call came to its handler without passing the gate");
  return caller;
}

/** The gate as an interceptor of a server. */
export function createGate(options: GateOptions): ServerInterceptor {
  return ({ path, responseStream }, call) => {
    answerInOwnWords(call, options.log);
    if (!options.isGuarded(path)) return new ServerInterceptingCall(call);
    const listener = new GatedCall(call, responseStream ? "listings" : "calls", options);
    return new ServerInterceptingCall(call, { start: (next) => next(listener) });
  };
}

/** Listens to what comes in of one call. */
class GatedCall implements ServerListener {
  readonly #call: ServerInterceptingCallInterface;
  readonly #kind: CallKind;
  readonly #options: GateOptions;
  #release: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(call: ServerInterceptingCallInterface, kind: CallKind, options: GateOptions) {
    this.#call = call;
    this.#kind = kind;
    this.#options = options;
  }

  readonly onReceiveMetadata = (metadata: Metadata, next: (metadata: Metadata) => void): void => {
    const { calls, authenticate } = this.#options;
    const enter = (caller: Caller) => {
      callers.set(metadata, caller);
      this.#patience = setTimeout(
        this.#refuse,
        REQUEST_PATIENCE_SECONDS * 1000,
        requestTimeout(REQUEST_PATIENCE_SECONDS),
      );
      next(metadata);
    };
    try {
      this.#release = calls.admit(this.#kind);
      const certificate = this.#call.getAuthContext().sslPeerCertificate;
      const caller = authenticate({ authorization: metadata.get("authorization").map(String), certificate });
      // Without a promise where there is no need of one.
      if (caller instanceof Promise) caller.then(enter, this.#refuse);
      else enter(caller);
    } catch (error) {
      this.#refuse(error);
    }
  };

  readonly onReceiveHalfClose = (next: () => void): void => {
    clearTimeout(this.#patience);
    next();
  };

  /** grpc-js tells so of the end of every call, the successful ones included. */
  readonly onCancel = (): void => {
    clearTimeout(this.#patience);
    this.#release?.();
  };

  readonly #refuse = (error: unknown): void => {
    this.#call.sendStatus(statusOf(error, this.#options.log));
  };
}
