// Who makes a call. A bearer token, where there is one, decides alone: a bad one is not mended by a certificate. Names of
// different kinds never meet, because each begins with its kind: jwt:, token: or cert:.

import type { PeerCertificate } from "node:tls";
import { credentialsInvalid, credentialsMissing } from "../domain/call-errors.ts";
import type { Caller } from "../domain/caller.ts";
import { nameOfCertificate } from "./client-certificate.ts";
import type { JsonWebTokens } from "./json-web-tokens.ts";
import type { Policy } from "./policy.ts";
import type { StaticTokens } from "./static-tokens.ts";

/** What a call shows of who makes it. */
export interface Credentials {
  /** The authorization header. Of several, Node keeps the first. */
  readonly authorization: string | undefined;
  /** The client certificate, verified by TLS. */
  readonly certificate: PeerCertificate | undefined;
}

/** Tells who makes a call, at once where no signature has to be verified; throws a RegistryError, or rejects with one. */
export type Authenticate = (credentials: Credentials) => Caller | Promise<Caller>;

/** What callers are known by, always as it is now. */
export interface Authorities {
  readonly policy: () => Policy;
  readonly staticTokens: () => StaticTokens | undefined;
  readonly jsonWebTokens: JsonWebTokens | undefined;
}

const MAX_TOKEN_BYTES = 8192;

/** Knows callers by what the authorities say. */
export function createAuthenticate({ policy, staticTokens, jsonWebTokens }: Authorities): Authenticate {
  return (credentials) => {
    const { authorization } = credentials;
    if (authorization === undefined) {
      const { certificate } = credentials;
      if (certificate === undefined) throw credentialsMissing();
      return policy().callerNamed(nameOfCertificate(certificate));
    }
    const token = parseBearer(authorization);
    const name = staticTokens()?.find(token) ?? jsonWebTokens?.findVerified(token);
    if (name !== undefined) return policy().callerNamed(name);
    if (jsonWebTokens === undefined) throw credentialsInvalid("unknown", "this service does not know the token");
    return jsonWebTokens.verify(token).then((verified) => policy().callerNamed(verified));
  };
}

/** The token of `Bearer TOKEN` (RFC 6750, section 2.1). */
function parseBearer(value: string): string {
  if (value.length > MAX_TOKEN_BYTES + "Bearer ".length)
    throw credentialsInvalid("too_long", "a token has at most 8 KiB");
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(value)?.[1];
  if (token !== undefined) return token;
  throw credentialsInvalid("malformed", "the authorization header must be `Bearer TOKEN`");
}
