// X.509 certificates made in memory, good ones and bad ones. The keys are of ECDSA P-256, which takes a millisecond.

// @peculiar/x509 asks for it, and leaves it to others to bring.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import type { JsonGeneralNames, Name } from "@peculiar/x509";
import * as x509 from "@peculiar/x509";

/** A certificate and its key, in PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate says; by default it names nobody, is valid for an hour, and good for servers and clients. */
export interface CertificateOptions {
  readonly commonName?: string | readonly string[];
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly usages?: readonly ("serverAuth" | "clientAuth")[];
  /** Whether it says by which key it is signed, as RFC 5280 wants it; true by default. */
  readonly namesIssuerKey?: boolean;
}

/** Issues certificates. */
export interface Authority {
  /** Its own certificate, in PEM. */
  readonly certificate: string;
  issue(options: CertificateOptions): Promise<Identity>;
  /** An authority whose certificate is issued by this one. */
  createIntermediate(commonName?: string): Promise<Authority>;
}

const MINUTE_MS = 60_000;

/** A moment in the future, or in the past. */
export function fromNow(ms: number): Date {
  return new Date(Date.now() + ms);
}

/** A certificate of this machine, for a server of a test. */
export const LOCALHOST: CertificateOptions = { dnsNames: ["localhost"], ips: ["127.0.0.1", "::1"] };

/** Makes an authority that nobody vouches for but itself; two of the same name have different keys. */
export async function createAuthority(commonName = "Test Authority"): Promise<Authority> {
  const keys = await generateKeys();
  const subject = nameOf(commonName);
  const certificate = await sign({ subject, keys }, { issuer: { subject, keys }, options: {}, isAuthority: true });
  return authorityOf({ subject, keys }, certificate);
}

/** Makes a certificate that is signed by its own key. */
export async function issueSelfSigned(options: CertificateOptions): Promise<Identity> {
  const party = { subject: nameOf(options.commonName), keys: await generateKeys() };
  const certificate = await sign(party, { issuer: party, options });
  return { certificate, key: await exportKey(party.keys) };
}

/** Who is named in a certificate, as its subject or as its issuer. */
interface Party {
  readonly subject: Name;
  readonly keys: webcrypto.CryptoKeyPair;
}

function authorityOf(issuer: Party, certificate: string): Authority {
  return {
    certificate,
    issue: async (options) => {
      const subject = { subject: nameOf(options.commonName), keys: await generateKeys() };
      return { certificate: await sign(subject, { issuer, options }), key: await exportKey(subject.keys) };
    },
    createIntermediate: async (commonName = "Test Intermediate") => {
      const subject = { subject: nameOf(commonName), keys: await generateKeys() };
      return authorityOf(subject, await sign(subject, { issuer, options: {}, isAuthority: true }));
    },
  };
}

interface Signing {
  readonly issuer: Party;
  readonly options: CertificateOptions;
  readonly isAuthority?: boolean;
}

async function sign({ subject, keys }: Party, { issuer, options, isAuthority = false }: Signing): Promise<string> {
  const { notBefore = fromNow(-MINUTE_MS), notAfter = fromNow(60 * MINUTE_MS), namesIssuerKey = true } = options;
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...(namesIssuerKey ? [await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey)] : []),
      ...(isAuthority ? [new x509.BasicConstraintsExtension(true, undefined, true)] : extensionsOf(options)),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

function extensionsOf({
  commonName,
  uris = [],
  dnsNames = [],
  ips = [],
  usages = ["serverAuth", "clientAuth"],
}: CertificateOptions) {
  const names: JsonGeneralNames = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ips.map((value) => ({ type: "ip" as const, value })),
    ...uris.map((value) => ({ type: "url" as const, value })),
  ];
  return [
    new x509.ExtendedKeyUsageExtension(usages.map((usage) => x509.ExtendedKeyUsage[usage])),
    // Critical where it is the only name: RFC 5280, section 4.2.1.6.
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names, commonName === undefined)] : []),
  ];
}

function nameOf(commonName: CertificateOptions["commonName"] = []): Name {
  return new x509.Name([commonName].flat().map((text) => ({ CN: [{ utf8String: text }] })));
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
}

async function exportKey({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  return `-----BEGIN PRIVATE KEY-----\n${Buffer.from(bytes).toString("base64")}\n-----END PRIVATE KEY-----\n`;
}
