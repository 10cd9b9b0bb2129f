import { describe, expect, it } from "vitest";
import { createAuthority, fromNow, LOCALHOST } from "../../test/support/certificates.ts";
import { parseTlsFiles } from "./tls-files.ts";

const authority = await createAuthority("One");
const other = await createAuthority("Two");
const intermediate = await authority.createIntermediate();
const server = await intermediate.issue(LOCALHOST);
const chain = server.certificate + intermediate.certificate;
const authorities = authority.certificate + other.certificate;

const files = { certificate: "/etc/tls.crt", key: "/etc/tls.key", clientAuthorities: "/etc/ca.crt" };

function parse({ certificate = chain, key = server.key, clientAuthorities = authorities }) {
  return parseTlsFiles(
    files,
    [certificate, key, clientAuthorities].map((text) => Buffer.from(text)),
  );
}

/** The lengths, without white space at the end, at which the text may be cut; at every other one it is refused. */
function cutsAccepted(text: string, parseCut: (cut: string) => unknown): number[] {
  const accepted = new Set<number>();
  for (let length = 0; length < text.length; length += 1) {
    const cut = text.slice(0, length);
    try {
      parseCut(cut);
      accepted.add(cut.trimEnd().length);
    } catch (error) {
      expect(error).toMatchObject({ name: "AccessError", message: expect.not.stringMatching(/-----|MI[GIH]/) });
    }
  }
  return [...accepted];
}

function lengthsOf(...texts: string[]): number[] {
  return texts.map((text) => text.trimEnd().length);
}

describe("parseTlsFiles", () => {
  it("makes the options of a server, each authority by itself", () => {
    expect(parse({})).toEqual({
      cert: Buffer.from(chain),
      key: Buffer.from(server.key),
      ca: [authority.certificate.trim(), other.certificate.trim()],
    });
  });

  it("makes options without authorities where clients are not asked for a certificate", () => {
    const withoutAuthorities = { ...files, clientAuthorities: undefined };
    const [cert, key] = [Buffer.from(chain), Buffer.from(server.key)];
    expect(parseTlsFiles(withoutAuthorities, [cert, key])).toEqual({ cert, key });
  });

  it("takes authorities with words between them, and the line ends of Windows", () => {
    const commented = `# One\n${authority.certificate}\nsubject: CN = Two\n${other.certificate}`;
    expect(parse({ clientAuthorities: commented.replaceAll("\n", "\r\n") }).ca).toHaveLength(2);
  });

  it("refuses every part of the certificates but the first one alone", () => {
    const accepted = cutsAccepted(chain, (certificate) => parse({ certificate }));
    expect(accepted).toEqual(lengthsOf(server.certificate, chain));
  });

  it("refuses every part of the key", () => {
    expect(cutsAccepted(server.key, (key) => parse({ key }))).toEqual(lengthsOf(server.key));
  });

  it("refuses every part of the authorities but the first one alone", () => {
    const accepted = cutsAccepted(authorities, (clientAuthorities) => parse({ clientAuthorities }));
    expect(accepted).toEqual(lengthsOf(authority.certificate, authorities));
  });

  it("refuses a key of another certificate", async () => {
    const { key } = await intermediate.issue(LOCALHOST);
    expect(() => parse({ key })).toThrow(/^\/etc\/tls.crt and \/etc\/tls.key are not a certificate and its key: /);
  });

  it("refuses an authority that is no certificate inside", () => {
    const hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const message = "/etc/ca.crt is not one or more certificates in PEM";
    for (const clientAuthorities of [hollow, authority.certificate + hollow, server.key, ""]) {
      expect(() => parse({ clientAuthorities })).toThrow(message);
    }
  });

  it("refuses a certificate that has expired", async () => {
    const { certificate, key } = await authority.issue({ ...LOCALHOST, notAfter: fromNow(-1000) });
    expect(() => parse({ certificate, key })).toThrow(/^\/etc\/tls.crt expired at \w{3} .* GMT$/);
  });
});
