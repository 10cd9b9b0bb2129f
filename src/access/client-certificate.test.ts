import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CertificateOptions, createAuthority, fromNow } from "../../test/support/certificates.ts";
import { nameOfCertificate } from "./client-certificate.ts";

const authority = await createAuthority();

/** The name in a certificate, as TLS shows it. */
async function nameOf(options: CertificateOptions): Promise<string> {
  const { certificate } = await authority.issue(options);
  return nameOfCertificate(new X509Certificate(certificate).toLegacyObject());
}

const invalidName = expect.objectContaining({
  reason: "CREDENTIALS_INVALID",
  metadata: {
    problem: "invalid_name",
    description:
      "the client certificate needs one URI, or one common name, of printable ASCII and at most 250 characters",
  },
});

const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
const name = printable.filter((text) => text !== "" && text.trim() === text);
const runs = { numRuns: 50 };

describe("nameOfCertificate", () => {
  it("is the common name, whatever it is of printable ASCII", async () => {
    const property = fc.asyncProperty(name, async (commonName) => {
      expect(await nameOf({ commonName })).toBe(`cert:${commonName}`);
    });
    await fc.assert(property, runs);
  });

  it("is the URI, whatever it is of printable ASCII, and whatever else the certificate names", async () => {
    const property = fc.asyncProperty(name, fc.array(name), async (uri, dnsNames) => {
      expect(await nameOf({ commonName: "other", uris: [uri], dnsNames })).toBe(`cert:${uri}`);
    });
    await fc.assert(property, runs);
  });

  it("is no URI that stands in another kind of name", async () => {
    const looksLikeUri = fc.tuple(printable, name).map(([before, uri]) => `${before}, URI:${uri}`);
    const property = fc.asyncProperty(fc.array(looksLikeUri, { minLength: 1 }), async (dnsNames) => {
      expect(await nameOf({ commonName: "ci", dnsNames })).toBe("cert:ci");
    });
    await fc.assert(property, runs);
  });

  it.each<[string, CertificateOptions]>([
    ["nothing", {}],
    ["host names only", { dnsNames: ["localhost"], ips: ["127.0.0.1"] }],
    ["an empty common name", { commonName: "" }],
    ["an empty URI", { commonName: "ci", uris: [""] }],
    ["two common names", { commonName: ["ci", "ci"] }],
    ["two URIs", { uris: ["spiffe://test/a", "spiffe://test/a"] }],
    ["two URIs and a common name", { commonName: "ci", uris: ["spiffe://test/a", "spiffe://test/b"] }],
    ["a common name of 251 characters", { commonName: "x".repeat(251) }],
    ["a URI of 251 characters", { uris: ["x".repeat(251)] }],
    ["a space at the end", { commonName: "ci " }],
  ])("is none in a certificate with %s", async (_what, options) => {
    await expect(nameOf(options)).rejects.toEqual(invalidName);
  });

  it.each(["ci\nadmin", "ci\0", "\u0007", "ci\u007f", "c\u00ef"])(
    "is none where it is not of printable ASCII: %j",
    async (text) => {
      await expect(nameOf({ commonName: text })).rejects.toEqual(invalidName);
      await expect(nameOf({ uris: [text] })).rejects.toEqual(invalidName);
    },
  );

  it.each(["\u0441i", "c\u200bi"])("is none where it only looks like ASCII: %j", async (commonName) => {
    await expect(nameOf({ commonName })).rejects.toEqual(invalidName);
  });

  it("may have 250 characters", async () => {
    expect(await nameOf({ commonName: "x".repeat(250) })).toBe(`cert:${"x".repeat(250)}`);
    expect(await nameOf({ uris: ["x".repeat(250)] })).toBe(`cert:${"x".repeat(250)}`);
  });

  it("is none any more when the certificate has expired", async () => {
    const expired = { reason: "CREDENTIALS_INVALID", metadata: { problem: "expired" } };
    await expect(nameOf({ commonName: "ci", notAfter: fromNow(-1000) })).rejects.toMatchObject(expired);
    expect(await nameOf({ commonName: "ci", notAfter: fromNow(60_000) })).toBe("cert:ci");
  });
});
