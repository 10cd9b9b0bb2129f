// Where the keys come from by which tokens are verified: a JWKS file, or the issuer itself (OpenID Connect Discovery 1.0).

import { createPublicKey, type JsonWebKey } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { authenticationUnavailable } from "../domain/call-errors.ts";
import { parseJsonFile } from "./json-file.ts";
import { isSafe } from "./token-rules.ts";
import { AccessError, type AccessLog } from "./watched-files.ts";

const keySetSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).min(1, "must have a key") });

/** The keys in the content of a JWKS file; throws an AccessError when there are none, or others than public ones. */
export function parseKeySet(path: string, content: Buffer | undefined): JWTVerifyGetKey {
  const keySet = parseJsonFile(path, content, keySetSchema);
  for (const [index, key] of keySet.keys.entries()) {
    if (!isPublicKey(key))
      throw new AccessError(`${path} is not as it must be: keys.${index}: must be a public key, whole`);
  }
  return createLocalJWKSet(keySet);
}

function isPublicKey(key: JsonWebKey): boolean {
  if (key.kty === "oct" || key.d !== undefined) return false;
  try {
    createPublicKey({ key, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

const REFRESH_MS = 5 * 60_000;
const DISCOVERY_PATIENCE_MS = 5_000;
const DISCOVERY_PAUSE_MS = 5_000;
const FAILURE_REMEMBERED_MS = 1_000;

const discoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url() });

type RemoteKeys = ReturnType<typeof createRemoteJWKSet>;

/**
 * The keys that an issuer publishes: asked for when a token names one that is not known yet, at most every 30 s, and every
 * 5 minutes, so that a withdrawn one goes. While the issuer does not answer, the last ones stay.
 */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #log: AccessLog;
  #keys: RemoteKeys | undefined;
  #discovery: Promise<RemoteKeys> | undefined;
  // Who sends tokens must not make this service ask the issuer without a pause.
  #retryAt = 0;
  #lastFailure: unknown;

  /** Refreshes the keys until the signal aborts. */
  constructor(issuer: string, { log, signal }: { log: AccessLog; signal: AbortSignal }) {
    this.#issuer = issuer;
    this.#log = log;
    void this.#refresh(signal);
  }

  /** Finds the key of a token; throws AUTHENTICATION_UNAVAILABLE when that cannot be known now. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    try {
      if (this.#keys === undefined && Date.now() < this.#retryAt) throw this.#lastFailure;
      this.#keys ??= await this.#discover();
      return await this.#keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw authenticationUnavailable(error);
    }
  };

  async #refresh(signal: AbortSignal): Promise<void> {
    let isKnown = false;
    while (!signal.aborted) {
      try {
        const keys = await this.#discover();
        await keys.reload();
        this.#keys = keys;
        isKnown = true;
      } catch (error) {
        this.#log.warn({ issuer: this.#issuer, err: error }, "the keys of the token issuer are not to be had");
      }
      const pauseMs = isKnown ? REFRESH_MS : DISCOVERY_PAUSE_MS;
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** One discovery at a time, however many calls wait for it. */
  async #discover(): Promise<RemoteKeys> {
    this.#discovery ??= discover(this.#issuer).finally(() => {
      this.#discovery = undefined;
    });
    try {
      return await this.#discovery;
    } catch (error) {
      this.#lastFailure = error;
      this.#retryAt = Date.now() + FAILURE_REMEMBERED_MS;
      throw error;
    }
  }
}

async function discover(issuer: string): Promise<RemoteKeys> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(DISCOVERY_PATIENCE_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  const document = discoverySchema.parse(await response.json());
  if (document.issuer !== issuer) throw new Error(`${url} is of the issuer ${document.issuer}`);
  const keysUrl = new URL(document.jwks_uri);
  if (!isSafe(keysUrl)) throw new Error(`${url} names keys at ${keysUrl.href}, which is not https`);
  return createRemoteJWKSet(keysUrl, { cacheMaxAge: Infinity });
}
