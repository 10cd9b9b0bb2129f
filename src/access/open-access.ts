import type { SecureContextOptions } from "node:tls";
import { anybody } from "../domain/caller.ts";
import { type Authenticate, createAuthenticate } from "./authenticator.ts";
import type { JsonWebTokens } from "./json-web-tokens.ts";
import { Policy } from "./policy.ts";
import { StaticTokens } from "./static-tokens.ts";
import { parseTlsFiles, type TlsFiles } from "./tls-files.ts";
import type { TokenRules } from "./token-rules.ts";
import { type AccessLog, WatchedFiles } from "./watched-files.ts";

/** Who may call, and by what they are known. */
export interface AccessSettings {
  readonly tls: TlsFiles | undefined;
  readonly jwt: (TokenRules & { readonly keySetFile: string | undefined }) | undefined;
  readonly tokensFile: string | undefined;
  /** undefined: nobody is asked who they are, and everybody may do everything. */
  readonly policyFile: string | undefined;
}

/** What guards a server. */
export interface Access {
  readonly authenticate: Authenticate;
  /** The key, the certificate and the authorities of TLS, which may change; undefined: no TLS. */
  readonly tls: WatchedFiles<SecureContextOptions> | undefined;
}

interface AccessOptions {
  readonly log: AccessLog;
  /** Ends the watching of files and issuers. */
  readonly signal: AbortSignal;
}

/**
 * Reads everything that the settings name, and goes on reading it when it changes.
 *
 * @throws AccessError, with words for the person who started the service.
 */
export async function openAccess(settings: AccessSettings, options: AccessOptions): Promise<Access> {
  return { authenticate: await openAuthenticate(settings, options), tls: await openTls(settings, options) };
}

async function openTls({ tls }: AccessSettings, options: AccessOptions): Promise<Access["tls"]> {
  if (tls === undefined) return undefined;
  const { certificate, key, clientAuthorities } = tls;
  const paths = [certificate, key, ...(clientAuthorities === undefined ? [] : [clientAuthorities])];
  return await WatchedFiles.open({ paths, parse: (contents) => parseTlsFiles(tls, contents), ...options });
}

async function openAuthenticate(settings: AccessSettings, options: AccessOptions): Promise<Authenticate> {
  const { policyFile, tokensFile, jwt } = settings;
  if (policyFile === undefined) return () => anybody;
  const policy = await openFile(policyFile, Policy.parse, options);
  const tokens = tokensFile === undefined ? undefined : await openFile(tokensFile, StaticTokens.parse, options);
  return createAuthenticate({
    policy: () => policy.current,
    staticTokens: () => tokens?.current,
    jsonWebTokens: jwt && (await openJsonWebTokens(jwt, options)),
  });
}

async function openJsonWebTokens(
  { keySetFile, ...rules }: NonNullable<AccessSettings["jwt"]>,
  options: AccessOptions,
): Promise<JsonWebTokens> {
  // Loaded where it is asked for: jose takes more memory than all the rest of this folder.
  const { JsonWebTokens } = await import("./json-web-tokens.ts");
  const { IssuerKeys, parseKeySet } = await import("./token-keys.ts");
  if (keySetFile === undefined) return new JsonWebTokens(rules, new IssuerKeys(rules.issuer, options).find);
  const keys = await openFile(keySetFile, parseKeySet, options);
  const tokens = new JsonWebTokens(rules, keys.current);
  keys.follow((current) => tokens.replaceKeys(current));
  return tokens;
}

async function openFile<T>(
  path: string,
  parse: (path: string, content: Buffer | undefined) => T,
  options: AccessOptions,
): Promise<WatchedFiles<T>> {
  return await WatchedFiles.open({ paths: [path], parse: ([content]) => parse(path, content), ...options });
}
