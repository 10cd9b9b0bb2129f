/** The signature algorithms (RFC 7518, RFC 8037) that may be chosen: asymmetric ones. */
export const TOKEN_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
] as const;

/** What a token must be. */
export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  /** The claim whose text names the caller. */
  readonly nameClaim: string;
}

/** Whether nobody on the way can change what the URL answers. */
export function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
