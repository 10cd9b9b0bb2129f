// An OpenID Connect issuer in this process, and whatever tokens somebody could send in its name.

import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { exportJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";

/** A key by which tokens are signed. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: "RS256" | "ES256";
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Makes a key; with the kid of another one it stands for somebody who forges tokens. */
export function makeSigningKey(algorithm: SigningKey["algorithm"] = "ES256", kid: string = randomUUID()): SigningKey {
  const pair =
    algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid, algorithm, ...pair };
}

/** The content of a JWKS file with the public halves of the keys. */
export async function keySetOf(keys: readonly SigningKey[]): Promise<string> {
  const published = keys.map(async ({ kid, algorithm, publicKey }) => ({
    ...(await exportJWK(publicKey)),
    kid,
    alg: algorithm,
    use: "sig",
  }));
  return JSON.stringify({ keys: await Promise.all(published) });
}

/** How a token is signed. */
export interface SignOptions {
  readonly key: SigningKey;
  /** Changes the header, also the algorithm; what is undefined is left out. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signs by this instead of the private key, whatever the header says. */
  readonly secret?: Uint8Array;
}

/** The claims of a token, of any kind; undefined is none. */
export type Claims = Readonly<Record<string, unknown>>;

/** Signs a token with exactly these claims. */
export async function signToken(claims: Claims, { key, header, secret }: SignOptions): Promise<string> {
  // The types of jose are for those who make good tokens.
  return await new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ alg: key.algorithm, kid: key.kid, ...header } as JWTHeaderParameters)
    .sign(secret ?? key.privateKey);
}

/** A token of any header and claims whose signature is the text given, or none. */
export function unsignedToken(header: object, claims: Claims, signature = ""): string {
  const parts = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return [...parts, signature].join(".");
}

/** What answers a request for the discovery document or the keys. */
export type Behaviour = "answer" | "fail" | "hang" | "hang up" | "talk nonsense";

const KEYS_PATH = "/keys";
const DISCOVERY_PATH = "/.well-known/openid-configuration";

/** An issuer on a free port of 127.0.0.1. */
export class TokenIssuer implements AsyncDisposable {
  /** Its `iss`, and where it is. */
  readonly url: string;
  /** Requests by their path. */
  readonly requests = { discovery: 0, keys: 0 };
  /** How each of its paths answers. */
  behaviour: { discovery: Behaviour; keys: Behaviour } = { discovery: "answer", keys: "answer" };
  /** What differs in the discovery document. */
  document: { issuer?: unknown; jwks_uri?: unknown } = {};
  #keys: readonly SigningKey[];
  readonly #close: () => Promise<void>;

  private constructor(url: string, keys: readonly SigningKey[], close: () => Promise<void>) {
    this.url = url;
    this.#keys = keys;
    this.#close = close;
  }

  /** Starts an issuer that publishes the keys. */
  static async start(...keys: readonly SigningKey[]): Promise<TokenIssuer> {
    const server = createServer((request, response) => void issuer.#answer(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const issuer = new TokenIssuer(`http://127.0.0.1:${port}`, keys, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return issuer;
  }

  /** Publishes these keys and no others from now on. */
  publish(...keys: readonly SigningKey[]): void {
    this.#keys = keys;
  }

  /** Behaves so at every path from now on. */
  behave(behaviour: Behaviour): void {
    this.behaviour = { discovery: behaviour, keys: behaviour };
  }

  /** A good token of this issuer for the audience `stele`, but for what the claims say. */
  async sign(claims: Claims = {}, options: Partial<SignOptions> = {}): Promise<string> {
    const [key] = this.#keys;
    if (key === undefined && options.key === undefined) throw new Error("the issuer has no key");
    return await signToken({ ...goodClaims(this.url), ...claims }, { key: key ?? makeSigningKey(), ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #answer(...[{ url }, response]: Parameters<RequestListener>): Promise<void> {
    if (url === DISCOVERY_PATH) {
      this.requests.discovery += 1;
      const document = { issuer: this.url, jwks_uri: `${this.url}${KEYS_PATH}`, ...this.document };
      behave(this.behaviour.discovery, response, JSON.stringify(document));
    } else if (url === KEYS_PATH) {
      this.requests.keys += 1;
      behave(this.behaviour.keys, response, await keySetOf(this.#keys));
    } else {
      response.writeHead(404).end();
    }
  }
}

/** The claims of a good token: the issuer's, for the audience `stele`, of `alice`, for ten minutes. */
export function goodClaims(issuer: string): Claims {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: "stele", sub: "alice", iat: now, exp: now + 600 };
}

function behave(behaviour: Behaviour, response: ServerResponse, content: string): void {
  switch (behaviour) {
    case "answer":
      response.writeHead(200, { "content-type": "application/json" }).end(content);
      break;
    case "fail":
      response.writeHead(503).end("not now");
      break;
    case "hang up":
      response.socket?.destroy();
      break;
    case "talk nonsense":
      response.writeHead(200, { "content-type": "application/json" }).end('{"issuer": ');
      break;
    case "hang":
      break;
  }
}
