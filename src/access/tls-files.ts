import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { AccessError } from "./watched-files.ts";

/** The files of TLS, in PEM. */
export interface TlsFiles {
  /** The certificate of this server, and after it what leads to its authority. */
  readonly certificate: string;
  readonly key: string;
  /** The authorities of client certificates; undefined: clients are not asked for any. */
  readonly clientAuthorities: string | undefined;
}

/**
 * What the contents of the files, in the order certificate, key, client authorities, make of a server.
 *
 * @throws AccessError when they are half written, do not belong together, or have expired.
 */
export function parseTlsFiles(files: TlsFiles, [cert, key, ca]: readonly Buffer[]): SecureContextOptions {
  refuseHalf(files.certificate, cert);
  const context = { cert, key, ...(ca !== undefined && { ca: splitAuthorities(files, ca) }) };
  try {
    createSecureContext(context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AccessError(`${files.certificate} and ${files.key} are not a certificate and its key: ${reason}`);
  }
  const { validTo } = parseCertificate(files.certificate, String(cert));
  if (Date.parse(validTo) <= Date.now()) throw new AccessError(`${files.certificate} expired at ${validTo}`);
  return context;
}

// OpenSSL takes what comes before for the whole.
function refuseHalf(path: string, content: Buffer | undefined): void {
  if (/(?:^|\n)-(?!----END [A-Z ]+-----$)[^\n]*$/.test(String(content).trimEnd())) {
    throw new AccessError(`${path} ends in the middle of a line`);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

// OpenSSL skips what is no certificate, such as one half written, and with it an authority.
function splitAuthorities({ clientAuthorities = "" }: TlsFiles, content: Buffer): string[] {
  refuseHalf(clientAuthorities, content);
  const text = content.toString();
  const certificates = text.match(PEM_CERTIFICATE) ?? [];
  const begun = text.match(/-----BEGIN/g)?.length ?? 0;
  if (certificates.length === 0 || certificates.length !== begun) {
    throw new AccessError(`${clientAuthorities} is not one or more certificates in PEM`);
  }
  for (const certificate of certificates) parseCertificate(clientAuthorities, certificate);
  return certificates;
}

function parseCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new AccessError(`${path} is not one or more certificates in PEM`);
  }
}
