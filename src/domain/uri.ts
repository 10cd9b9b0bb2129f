// An absolute URI by the grammar of RFC 3986: a scheme, then something that it names. Whatever the scheme (s3, gs,
// hf, oci, https, file, urn), so that no store is shut out; but only its characters, so that a reference can be
// handed to any tool as it is: no white space, no controls, nothing beyond ASCII that is not percent-encoded.
// A scheme has two letters at least: none of one letter exists, and C:/model would be one. The inside of an IP
// literal is not checked further. JavaScript's URL is not used: it repairs what is wrong and takes much of it.

const escaped = "%[0-9A-Fa-f]{2}";
const unreservedAndDelimiters = "A-Za-z0-9._~!$&'()*+,;=\\-";
const userinfo = `(?:[${unreservedAndDelimiters}:]|${escaped})*`;
const host = `(?:\\[[0-9A-Fa-f:.]+\\]|(?:[${unreservedAndDelimiters}]|${escaped})*)`;
const authority = `(?:${userinfo}@)?${host}(?::[0-9]*)?`;
const pathCharacters = `${unreservedAndDelimiters}:@/`;
const path = `(?:[${pathCharacters}]|${escaped})*`;
const queryOrFragment = `(?:[${pathCharacters}?]|${escaped})*`;

// "//" opens an authority and nothing else; the path after one is empty or begins with "/".
const hierarchy = `(?://${authority}(?=[/?#]|$)|(?!//))${path}`;
const grammar = new RegExp(
  `^[A-Za-z][A-Za-z0-9+.-]+:(?=.)${hierarchy}(?:\\?${queryOrFragment})?(?:#${queryOrFragment})?$`,
);

/** Whether the text is an absolute URI (RFC 3986), a fragment allowed. */
export function isAbsoluteUri(text: string): boolean {
  return grammar.test(text);
}
