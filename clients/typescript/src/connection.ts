import { X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates } from "node:tls";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RegistryError } from "./errors.ts";
import { Session } from "./session.ts";

/** Whom to speak to, and as whom. */
export interface ConnectOptions {
  /** `host:port`; an IPv6 address is in brackets. */
  readonly address: string;
  /** Whether to speak without TLS; false unless said otherwise. */
  readonly plaintext?: boolean | undefined;
  /** The authorities to trust, in PEM, instead of those of the system and of Node. */
  readonly ca?: string | undefined;
  /** A client certificate and the authorities between, in PEM; `key` is its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** A bearer token, or a function that is asked before each attempt of a call, so that it can rotate. */
  readonly token?: Token | undefined;
}

/** A bearer token, or how to get one. A RegistryError or ConnectError of the function keeps its code. */
export type Token = string | (() => string | Promise<string>);

/** The way to a service. */
export interface Connection {
  readonly transport: Transport;
  /** Ends it and the calls under way. */
  close(): void;
}

/**
 * Prepares a connection; the first call opens it.
 *
 * @throws TypeError when the options contradict each other, Error when a certificate or key cannot be read.
 */
export function connect(options: ConnectOptions, closed: AbortSignal): Connection {
  const { plaintext = false, token } = options;
  checkOptions(options);
  const baseUrl = `${plaintext ? "http" : "https"}://${options.address}`;
  const sessionManager = new Session(baseUrl, plaintext ? {} : { secureContext: secureContextOf(options) });
  const interceptors = [refuseAfter(closed), ...(token === undefined ? [] : [sendToken(token)])];
  const transport = createGrpcTransport({ baseUrl, sessionManager, interceptors });
  return { transport, close: () => sessionManager.abort() };
}

function checkOptions({ address, plaintext = false, ca, cert, key, token }: ConnectOptions): void {
  if (!/^(\[[\da-fA-F:.]+\]|[^\s/?#@:[\]]+):\d{1,5}$/.test(address) || !URL.canParse(`http://${address}`)) {
    throw new TypeError(`the address must be host:port, not ${JSON.stringify(address)}`);
  }
  if (plaintext && token !== undefined) throw new TypeError("a token over plaintext would be read by others");
  if (plaintext && (ca ?? cert ?? key) !== undefined) throw new TypeError("certificates are of no use with plaintext");
  if (typeof token === "string") checkToken(token);
  if ((cert === undefined) !== (key === undefined)) throw new TypeError("cert and key belong together");
}

function secureContextOf({ ca, cert, key }: ConnectOptions) {
  if (ca !== undefined) new X509Certificate(ca); // Throws where there is none, which TLS would only trust nobody for.
  const authorities = ca ?? [...getCACertificates("default"), ...getCACertificates("system")];
  return createSecureContext({ ca: authorities, cert, key });
}

function refuseAfter(closed: AbortSignal): Interceptor {
  return (next) => async (request) => {
    if (closed.aborted) throw new ConnectError("the client is closed", Code.Canceled);
    return await next(request);
  };
}

function sendToken(token: Token): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${await ask(token, request.signal)}`);
    return await next(request);
  };
}

/** The token to send; the signal ends a function that does not answer. */
async function ask(token: Token, signal: AbortSignal): Promise<string> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return checkToken(typeof token === "string" ? token : await Promise.race([token(), aborted]));
  } catch (error) {
    const { code } = error instanceof RegistryError || error instanceof ConnectError ? error : noToken;
    throw new ConnectError(`no token: ${error instanceof Error ? error.message : error}`, code, undefined, [], error);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const noToken = { code: Code.Unauthenticated };

/** The text itself; an error of the header would have shown it to the log. */
function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new TypeError("a token is visible ASCII characters without spaces");
}
