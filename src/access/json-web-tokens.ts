// JSON Web Tokens (RFC 7519) of one issuer, by jose. The algorithms are pinned to asymmetric ones, so that no key can be
// taken for a shared secret; a token without an expiry is not accepted.

import { createHash } from "node:crypto";
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { authenticationUnavailable, type CredentialsProblem, credentialsInvalid } from "../domain/call-errors.ts";
import { formatCaller } from "../domain/caller.ts";
import { RegistryError } from "../domain/errors.ts";
import type { TokenRules } from "./token-rules.ts";

const CLOCK_TOLERANCE_SECONDS = 5;

// A token that was verified is not verified again for so long; a key that is withdrawn has effect as soon.
const REMEMBERED_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/** Verifies tokens by keys that may change. */
export class JsonWebTokens {
  readonly #rules: TokenRules;
  #findKey: JWTVerifyGetKey;
  readonly #verified = new LRUCache<string, string>({ max: MAX_REMEMBERED });

  constructor(rules: TokenRules, findKey: JWTVerifyGetKey) {
    this.#rules = rules;
    this.#findKey = findKey;
  }

  /** Verifies by these keys from now on. */
  replaceKeys(findKey: JWTVerifyGetKey): void {
    this.#findKey = findKey;
    this.#verified.clear();
  }

  /** The caller `jwt:NAME` of a token that was verified a short while ago. */
  findVerified(token: string): string | undefined {
    return this.#verified.get(hashOf(token));
  }

  /**
   * The caller `jwt:NAME` of a token.
   *
   * @throws RegistryError CREDENTIALS_INVALID, AUTHENTICATION_UNAVAILABLE.
   */
  async verify(token: string): Promise<string> {
    const findKey = this.#findKey;
    const payload = await this.#verifyBy(findKey, token);
    const caller = this.#nameIn(payload);
    const ttl = Math.min(REMEMBERED_MS, Number(payload.exp) * 1000 - Date.now());
    if (ttl > 0 && findKey === this.#findKey) this.#verified.set(hashOf(token), caller, { ttl });
    return caller;
  }

  async #verifyBy(findKey: JWTVerifyGetKey, token: string): Promise<JWTPayload> {
    const { issuer, audience, algorithms } = this.#rules;
    try {
      const { payload } = await jwtVerify(token, findKey, {
        issuer,
        audience,
        algorithms: [...algorithms],
        requiredClaims: ["exp"],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw toRefusal(error);
      // A key of the issuer that is none.
      throw error instanceof RegistryError ? error : authenticationUnavailable(error);
    }
  }

  #nameIn(payload: JWTPayload): string {
    const { nameClaim } = this.#rules;
    const name = payload[nameClaim];
    const caller = typeof name === "string" ? formatCaller("jwt", name) : undefined;
    if (caller !== undefined) return caller;
    const rule = "printable ASCII and at most 251 characters";
    throw credentialsInvalid("invalid_name", `the token needs a claim ${nameClaim} of ${rule}`);
  }
}

// Nothing of the token, which may be a good one for somebody else.
function toRefusal(error: errors.JOSEError): RegistryError {
  const [problem, description] = explain(error);
  return credentialsInvalid(problem, description);
}

function explain(error: errors.JOSEError): [CredentialsProblem, string] {
  if (error instanceof errors.JWTExpired) return ["expired", "the token has expired; get a fresh one"];
  if (error instanceof errors.JWTClaimValidationFailed) return explainClaim(error);
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return ["wrong_algorithm", "the token is signed by an algorithm that this service does not accept, or not at all"];
  if (error instanceof errors.JWKSNoMatchingKey)
    return ["wrong_signature", "the token is signed by a key that its issuer does not have"];
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return ["wrong_signature", "the token does not say by which of the issuer's keys it is signed (kid)"];
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return ["wrong_signature", "the signature of the token is wrong"];
  return ["malformed", "the token is neither one of this service nor a signed JWT"];
}

function explainClaim({ claim, reason }: errors.JWTClaimValidationFailed): [CredentialsProblem, string] {
  if (claim === "iss") return ["wrong_issuer", "the token is from another issuer than this service accepts"];
  if (claim === "aud") return ["wrong_audience", "the token is for another audience than this service"];
  if (claim === "nbf" && reason === "check_failed") return ["not_yet_valid", "the token is not valid yet"];
  if (claim === "exp") return ["wrong_claims", "the token needs an expiry (exp), as a number"];
  return ["wrong_claims", "a claim of the token is not as it must be"];
}

// So that a token is in memory for no longer than its call.
function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
