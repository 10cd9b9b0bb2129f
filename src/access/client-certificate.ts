import type { PeerCertificate } from "node:tls";
import { isCallerName } from "../domain/caller.ts";
import { credentialsInvalid } from "../domain/errors.ts";

/**
 * The caller `cert:NAME` of a certificate that TLS has verified: its only URI (as SPIFFE has it), else its only common
 * name.
 *
 * @throws RegistryError CREDENTIALS_INVALID when it has neither, or expired since the connection began.
 */
export function nameOfCertificate({ subject, subjectaltname, valid_to }: PeerCertificate): string {
  if (Date.parse(valid_to) <= Date.now()) throw credentialsInvalid("expired", "the client certificate has expired");
  const uris = urisOf(subjectaltname ?? "");
  const [name, ...others] = uris.length > 0 ? uris : [subject?.CN ?? []].flat();
  const caller = `cert:${name}`;
  if (name !== undefined && others.length === 0 && isCallerName(caller)) return caller;
  throw credentialsInvalid(
    "invalid_name",
    "the client certificate needs one URI, or one common name, of printable ASCII and at most 250 characters",
  );
}

// Node separates the entries by a comma and a space, and quotes what has a comma or a quote in it.
function urisOf(alternativeNames: string): string[] {
  const entries = alternativeNames.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return entries.map((entry) => entry.trim()).flatMap((entry) => (entry.startsWith("URI:") ? [entry.slice(4)] : []));
}
