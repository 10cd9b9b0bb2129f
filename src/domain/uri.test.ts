import fc from "fast-check";
import { expect, test } from "vitest";
import { isAbsoluteUri } from "./uri.ts";

test.each([
  "s3://bucket/models/resnet/weights.safetensors",
  "gs://bucket/a",
  "hf://org/model@main/file.bin",
  "oci://registry.example:5000/a/b@sha256:00",
  "https://user:secret@example.org:8443/a/b;c=1?d=e&f=/?#g/h?",
  "https://example.org",
  "http://[2001:db8::1]:80/a",
  "file:///models/a",
  "file:/models/a",
  "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
  "urn:x",
  "mailto:a@example.org",
  "git+ssh://git@example.org/a.git",
  "s3://bucket/%C3%A9%20",
  "az://container/a~b_c-d.e!f$g&h'i(j)k*l+m,n;o=p:q@r",
  "tag:example.org,2026:a",
  "ab:?q",
  "ab://",
])("accepts %s", (text) => {
  expect(isAbsoluteUri(text)).toBe(true);
});

test.each([
  "",
  "weights.bin",
  "/models/a",
  "//example.org/a",
  "models/a:b",
  "git@example.org:org/repo",
  "C:/models/a",
  "C:\\models\\a",
  "s3:",
  "1s://a",
  "s3 ://a",
  " s3://a",
  "s3://a ",
  "s3://a b",
  "s3://a\n",
  "s3://a\u0000",
  "s3://é",
  "s3://a/%",
  "s3://a/%4",
  "s3://a/%zz",
  "s3://a/<b>",
  "s3://a/{b}",
  "s3://a/b|c",
  "s3://a/b^c",
  "s3://a/b`c",
  's3://a/"b"',
  "s3://a\\b",
  "https://a#b#c",
  "https://a:b",
  "https://[a/b",
  "https://a]b",
  "https://a/[b]",
  "https://[::1]x/a",
  "https://a@b@c/",
])("rejects %j", (text) => {
  expect(isAbsoluteUri(text)).toBe(false);
});

test("accepts every web address that fast-check makes", () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
      expect(isAbsoluteUri(url)).toBe(true);
    }),
  );
});

test("rejects any character that no URI has, wherever it is", () => {
  const strange = fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .filter((text) => !/[\w\-.~!$&'()*+,;=:/?#[\]@%]/.test(text));
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), strange, fc.nat(), (url, character, at) => {
      const position = at % (url.length + 1);
      expect(isAbsoluteUri(url.slice(0, position) + character + url.slice(position))).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  [`s3://${"a@".repeat(1020)} `],
  [`s3://${"%41".repeat(680)} `],
  [`s3:${"/".repeat(2040)} `],
  [`s3://${"a:".repeat(1020)} `],
  [`ab:${"?".repeat(2040)}##`],
])("decides about the worst text %# in linear time", (text) => {
  const start = performance.now();
  for (let i = 0; i < 1000; i++) expect(isAbsoluteUri(text)).toBe(false);
  expect(performance.now() - start).toBeLessThan(2000);
});
