import { createHash } from "node:crypto";
import { create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ModelMetadataSchema, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryMetadata } from "../../test/support/arbitrary-metadata.ts";
import { readDocument } from "../../test/support/document.ts";
import { canonicalRecord, formatDigest, isDigest, recordDigest } from "./digest.ts";

interface Vector {
  readonly name: string;
  readonly record: JsonValue;
  readonly canonical: string;
  readonly digest: string;
}

const vectors: readonly Vector[] = JSON.parse(readDocument("digest-vectors.json"));

function contentOf(record: JsonValue | Uint8Array) {
  const schema = ModelVersionSchema;
  const { model, version, metadata } =
    record instanceof Uint8Array ? fromBinary(schema, record) : fromJson(schema, record);
  return { model, version, metadata };
}

// RFC 8785 from its text alone: neither the library that the service uses nor a protobuf runtime has a part in it.
function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([left], [right]) => compareUnits(left, right));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(",")}}`;
}

function compareUnits(left: string, right: string): number {
  const units = (text: string) => Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  const [others, own] = [units(right), units(left)];
  const at = own.findIndex((unit, index) => unit !== others[index]);
  if (at === -1) return own.length - others.length;
  return (own[at] ?? 0) - (others[at] ?? -1);
}

function digestOf(canonical: string): string {
  const hash = createHash("sha256");
  hash.update(Buffer.from([...Buffer.from("stele-record-v1"), 0x0a, ...Buffer.from(canonical, "utf8")]));
  return `sha256:${hash.digest("hex")}`;
}

describe.each(vectors)("the vector $name", ({ record, canonical, digest }) => {
  test("has the canonical JSON and the digest that the service computes", () => {
    expect(canonicalRecord(contentOf(record))).toBe(canonical);
    expect(formatDigest(recordDigest(contentOf(record)))).toBe(digest);
  });

  test("has those that a second implementation computes", () => {
    expect(canonicalJson(record)).toBe(canonical);
    expect(digestOf(canonical)).toBe(digest);
  });

  test("has the same digest after a way over the wire", () => {
    const bytes = toBinary(ModelVersionSchema, fromJson(ModelVersionSchema, record));
    expect(formatDigest(recordDigest(contentOf(bytes)))).toBe(digest);
  });
});

test("has a vector for each trap", () => {
  const text = vectors.map(({ canonical }) => canonical).join("\n");
  const traps = ['"negative zero":0,', "1e+21", "0.30000000000000004", "5e-324", "1.7976931348623157e+308"];
  traps.push("9007199254740994", '"9223372036854775807"', '"sizeBytes":"0"', '"__proto__"', '"metadata":{}');
  traps.push('"source":{}', '"attributes":{}', "+build.007", "caf\u00e9 cafe\u0301", "\\u0000", "\u2028", '["",0');
  for (const trap of traps) expect(text).toContain(trap);
  expect(text.indexOf('"\ud83d\ude00":2')).toBeLessThan(text.indexOf('"\ufb33":1'));
});

test("tells absent metadata from metadata that is present but empty", () => {
  const content = { model: "a", version: "1.0.0" };
  const empty = create(ModelMetadataSchema);
  expect(canonicalRecord({ ...content, metadata: undefined })).toBe('{"model":"a","version":"1.0.0"}');
  expect(canonicalRecord({ ...content, metadata: empty })).toBe('{"metadata":{},"model":"a","version":"1.0.0"}');
});

test("agrees with the second implementation about any metadata", () => {
  fc.assert(
    fc.property(arbitraryMetadata(), (metadata) => {
      const record = { model: "a", version: "1.0.0", metadata: toJson(ModelMetadataSchema, metadata) };
      const digest = recordDigest({ model: "a", version: "1.0.0", metadata });
      expect(formatDigest(digest)).toBe(digestOf(canonicalJson(record)));
    }),
    { numRuns: 2000 },
  );
});

test("writes a digest in lower-case hexadecimal digits", () => {
  const digest = recordDigest({ model: "a", version: "1.0.0", metadata: undefined });
  const text = formatDigest(digest);
  expect(isDigest(text)).toBe(true);
  expect(Buffer.from(text.slice("sha256:".length), "hex").equals(digest)).toBe(true);
});

test.each(["", "sha256:", `sha256:${"A".repeat(64)}`, `sha256:${"0".repeat(63)}`, `sha256:${"0".repeat(64)}\n`])(
  "reads no digest in %j",
  (text) => {
    expect(isDigest(text)).toBe(false);
  },
);

test("is explained with an example that is one of the vectors", () => {
  const document = readDocument("digest.md");
  const example = vectors.find(({ name }) => name === "the walk-through of docs/digest.md");
  const [record = ""] = /```json\n(\{\n[\s\S]*?)```/.exec(document)?.slice(1) ?? [];
  const canonical = example?.canonical ?? "no such vector";
  expect(JSON.parse(record)).toEqual(example?.record);
  expect(document).toContain(`\`\`\`text\n${canonical}\n\`\`\``);
  expect(document).toContain(`printf 'stele-record-v1\\n%s' '${canonical}' | sha256sum\n# ${example?.digest.slice(7)}`);
  expect(document).toContain(`The first of the ${"stele-record-v1\n".length + canonical.length} bytes`);
});
