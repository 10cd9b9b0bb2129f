import type { PeerCertificate } from "node:tls";
import { credentialsInvalid } from "../domain/call-errors.ts";
import { formatCaller } from "../domain/caller.ts";

/**
 * The caller `cert:NAME` of a certificate that TLS has verified: its only URI (as SPIFFE has it), else its only common
 * name.
 *
 * @throws RegistryError CREDENTIALS_INVALID when it has neither, or expired since the connection began.
 */
export function nameOfCertificate({ subject, subjectaltname, valid_to }: PeerCertificate): string {
  if (!(Date.parse(valid_to) > Date.now())) throw credentialsInvalid("expired", "the client certificate has expired");
  const uris = urisOf(subjectaltname ?? "");
  const [name = "", ...others] = uris.length > 0 ? uris : [subject?.CN ?? []].flat();
  const caller = others.length === 0 ? formatCaller("cert", name) : undefined;
  if (caller !== undefined) return caller;
  throw credentialsInvalid(
    "invalid_name",
    "the client certificate needs one URI, or one common name, of printable ASCII and at most 250 characters",
  );
}

// Node separates the entries by a comma and a space, and writes one with a special character as a JSON string.
function urisOf(alternativeNames: string): string[] {
  const entries = alternativeNames.match(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  const uris = entries.map((entry) => entry.trim()).filter((entry) => entry.startsWith("URI:"));
  return uris.map((entry) => entry.slice("URI:".length)).map((uri) => (uri.startsWith('"') ? JSON.parse(uri) : uri));
}
