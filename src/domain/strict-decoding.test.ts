import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type RegisterVersionRequest,
  RegisterVersionRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryMetadata, arbitraryModelName } from "../../test/support/arbitrary-metadata.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { violationsOf } from "../../test/support/violations-of.ts";
import { decodeStrictly } from "./strict-decoding.ts";
import { Violations } from "./violations.ts";

function decode(bytes: Uint8Array, violations = new Violations()): RegisterVersionRequest {
  return decodeStrictly(RegisterVersionRequestSchema, bytes, violations);
}

function found(bytes: Uint8Array) {
  return violationsOf((violations) => decode(bytes, violations));
}

function message(...fields: Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

function inside(number: number, ...content: Uint8Array[]): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Buffer.concat(content)).finish();
}

function text(number: number, value: string): Uint8Array {
  return inside(number, Buffer.from(value));
}

function varint(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).uint32(value).finish();
}

function double(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Bit64).double(value).finish();
}

const metadata = (...fields: Uint8Array[]) => inside(4, ...fields);
const attributes = (...entries: Uint8Array[]) => metadata(inside(12, ...entries));
const attribute = (key: string, ...value: Uint8Array[]) => inside(1, text(1, key), inside(2, ...value));
const artifact = (...fields: Uint8Array[]) => inside(8, ...fields);
const unknown = varint(99, 1);

function unknownField(field: string) {
  const description = "is not known to this release; send only fields of its proto, or upgrade the service";
  return { field, description, reason: "UNKNOWN_FIELD" };
}

const otherType = "has another type than in the proto; generate the client anew";
const noKind = "has no kind; set one, null_value for null";

test("decodes what every client encodes, and adds nothing", () => {
  const requests = fc
    .record({
      model: arbitraryModelName(),
      number: fc.record({ case: fc.constant("version" as const), value: arbitraryVersion() }),
      metadata: arbitraryMetadata(),
      requestId: fc.constantFrom("", "1f0c"),
      validateOnly: fc.boolean(),
    })
    .map((init) => create(RegisterVersionRequestSchema, init));
  fc.assert(
    fc.property(requests, (request) => {
      const violations = new Violations();
      const decoded = decode(toBinary(RegisterVersionRequestSchema, request), violations);
      violations.throwIfAny();
      expect(equals(RegisterVersionRequestSchema, decoded, request)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("decodes nothing as the empty request", () => {
  expect(decode(new Uint8Array(0))).toEqual(create(RegisterVersionRequestSchema));
});

test.each([
  ["99", unknown],
  ["increment.99", inside(3, unknown)],
  ["metadata.99", metadata(unknown)],
  ["metadata.source.99", metadata(inside(6, unknown))],
  ["metadata.training_data[0].99", metadata(inside(5, unknown))],
  ["metadata.artifacts[2].99", metadata(artifact(), artifact(), artifact(text(2, "s3://a"), unknown))],
  ['metadata.metrics["test/accuracy"].99', metadata(inside(7, text(1, "test/accuracy"), double(2, 1), unknown))],
  ['metadata.labels["a"].99', metadata(inside(11, unknown, text(2, "x"), text(1, "a")))],
  ['metadata.labels[""].99', metadata(inside(11, unknown))],
  ["metadata.attributes.99", attributes(unknown)],
  ["metadata.attributes.a.99", attributes(attribute("a", varint(4, 1), unknown))],
  ["metadata.attributes.a.99", attributes(inside(1, inside(2, varint(4, 1), unknown), text(1, "a")))],
  ["metadata.attributes.a.99", attributes(inside(1, text(1, "a"), inside(2, varint(4, 1)), unknown))],
  ["metadata.attributes.a.99", attributes(attribute("a", inside(6, unknown)))],
  ['metadata.attributes.a["b c"].99', attributes(attribute("a", inside(5, attribute("b c", varint(4, 1), unknown))))],
  [
    "metadata.attributes.a[1].99",
    attributes(attribute("a", inside(6, inside(1, varint(4, 1)), inside(1, varint(4, 1), unknown)))),
  ],
  ['metadata.attributes["99"].99', attributes(attribute("99", varint(4, 1), unknown))],
])("finds the unknown field %s", (field, bytes) => {
  expect(found(bytes)).toEqual([unknownField(field)]);
});

test.each([
  ["varint", varint(99, 1)],
  ["64-bit", double(99, 1)],
  ["32-bit", new BinaryWriter().tag(99, WireType.Bit32).fixed32(1).finish()],
  ["length-delimited", text(99, "x")],
  ["group", message(tag(99, WireType.StartGroup), varint(1, 1), text(2, "x"), tag(99, WireType.EndGroup))],
])("skips an unknown field of type %s", (_name, bytes) => {
  expect(found(metadata(bytes, artifact(unknown)))).toEqual([
    unknownField("metadata.99"),
    unknownField("metadata.artifacts[0].99"),
  ]);
});

function tag(number: number, wireType: WireType): Uint8Array {
  return new BinaryWriter().tag(number, wireType).finish();
}

test.each([
  ["model", varint(1, 1)],
  ["metadata", varint(4, 1)],
  ["validate_only", text(6, "x")],
  ["metadata.description", metadata(double(1, 1))],
  ["metadata.artifacts", metadata(varint(8, 1))],
  ["metadata.artifacts[1].size_bytes", metadata(artifact(), artifact(double(4, 1)))],
  ['metadata.metrics["a"].value', metadata(inside(7, text(1, "a"), text(2, "0.93")))],
  ['metadata.metrics["a"].value', metadata(inside(7, text(1, "a"), varint(2, 1)))],
  ['metadata.labels[""].key', metadata(inside(11, varint(1, 1), text(2, "x")))],
  ["metadata.attributes.a.number_value", attributes(attribute("a", varint(2, 1)))],
  ["metadata.attributes.a.struct_value", attributes(attribute("a", varint(5, 1)))],
  ["metadata.source", metadata(message(tag(6, WireType.StartGroup), tag(6, WireType.EndGroup)))],
])("refuses %s of another type, with everything found elsewhere", (field, bytes) => {
  expect(found(message(bytes, unknown))).toEqual([
    { field, description: otherType, reason: "INVALID_FIELD" },
    unknownField("99"),
  ]);
});

test.each([
  ["metadata.attributes.a", attributes(attribute("a"))],
  ["metadata.attributes.a", attributes(inside(1, text(1, "a")))],
  ['metadata.attributes[""]', attributes(inside(1))],
  ["metadata.attributes.a[1]", attributes(attribute("a", inside(6, inside(1, varint(4, 1)), inside(1))))],
  ["metadata.attributes.a.b", attributes(attribute("a", inside(5, attribute("b"))))],
])("finds the attribute %s without a kind", (field, bytes) => {
  expect(found(bytes)).toEqual([{ field, description: noKind, reason: "INVALID_FIELD" }]);
});

test("takes every kind of attribute, the empty ones too", () => {
  const kinds = [varint(1, 0), double(2, 0), text(3, ""), varint(4, 0), inside(5), inside(6)];
  const bytes = attributes(...kinds.map((kind, index) => attribute(`k${index}`, kind)));
  expect(found(bytes)).toEqual([]);
  expect(decode(bytes).metadata?.attributes).toEqual({ k0: null, k1: 0, k2: "", k3: false, k4: {}, k5: [] });
});

test("decodes numbers that are not finite, for the rules of attributes to refuse", () => {
  const violations = new Violations();
  const decoded = decode(attributes(attribute("a", double(2, Number.NaN))), violations);
  expect(decoded.metadata?.attributes).toEqual({ a: Number.NaN });
  violations.throwIfAny();
});

test("counts elements of a message in several pieces as the decoder does", () => {
  const pieces = message(metadata(artifact(), artifact()), metadata(artifact(), artifact(unknown)));
  expect(decode(pieces).metadata?.artifacts).toHaveLength(4);
  expect(found(pieces)).toEqual([unknownField("metadata.artifacts[3].99")]);
});

test("counts the elements of each list on its own", () => {
  const bytes = metadata(artifact(), inside(5), artifact(), inside(5, unknown), inside(9, unknown));
  expect(found(bytes)).toEqual([
    unknownField("metadata.training_data[1].99"),
    unknownField("metadata.dependencies[0].99"),
  ]);
});

function nested(levels: number): Uint8Array {
  let content = attribute("a", varint(4, 1));
  for (let level = 1; level < levels; level++) content = attribute("a", inside(5, content));
  return attributes(content);
}

test("decodes attributes that are deeper than their limit, so that the rest is checked too", () => {
  expect(found(message(nested(49), unknown))).toEqual([unknownField("99")]);
});

test("refuses attributes that are too deep to be decoded", () => {
  const description = "is nested too deeply to be decoded";
  const field = `metadata.attributes${".a".repeat(49)}`;
  expect(found(message(nested(50), unknown))).toEqual([
    { field, description, reason: "INVALID_FIELD" },
    unknownField("99"),
  ]);
});

test("agrees with the decoder about what is too deep", () => {
  expect(() => fromBinary(RegisterVersionRequestSchema, nested(49))).not.toThrow();
  expect(() => fromBinary(RegisterVersionRequestSchema, nested(50))).toThrow("maximum recursion depth");
});

test("survives 100,000 levels", () => {
  expect(found(repeatedlyInside(100_000))).toHaveLength(1);
});

// Built from the inside out, in one buffer: nested() would copy each level into the next.
function repeatedlyInside(levels: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const wrap = (number: number) => {
    const head = new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish();
    chunks.push(head);
    length += head.length;
  };
  for (let level = 0; level < levels; level++) [5, 2, 1].forEach(wrap);
  [12, 4].forEach(wrap);
  return Buffer.concat(chunks.reverse());
}

test("refuses more messages than a record can have, without decoding them", () => {
  const bytes = metadata(Buffer.alloc(2 * 70_000, artifact()));
  expect(found(message(unknown, bytes))).toEqual([
    unknownField("99"),
    {
      field: "metadata.artifacts[65534]",
      description: "is beyond the 65536 messages that a request may have",
      reason: "INVALID_FIELD",
    },
  ]);
});

test("ends at the thousandth violation", () => {
  expect(found(Buffer.alloc(1_000_000, unknown))).toHaveLength(1000);
});

test.each([
  ["a tag that is cut off", Buffer.of(0x80)],
  ["a field number of zero", Buffer.of(0x00, 0x00)],
  ["an unknown wire type", Buffer.of(0x0e)],
  ["a tag beyond 32 bits", Buffer.of(0x88, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00)],
  ["a length that is cut off", Buffer.of(0x0a)],
  ["text that is cut off", Buffer.of(0x0a, 0x05, 0x61)],
  ["a varint that is cut off", Buffer.of(0x30, 0x80)],
  ["a varint that never ends", Buffer.concat([Buffer.of(0x30), Buffer.alloc(11, 0xff)])],
  ["a double that is cut off", metadata(inside(7, Buffer.of(0x11, 0x00)))],
  ["a message beyond the one around it", message(Buffer.of(0x22, 0x02, 0x42, 0x04), text(2, "ab"))],
  ["text beyond the message around it", message(Buffer.of(0x22, 0x02, 0x0a, 0x05), Buffer.from("abcde"))],
  ["the end of a group that never began", tag(99, WireType.EndGroup)],
  ["a group that never ends", tag(99, WireType.StartGroup)],
  ["a group that ends as another", message(tag(99, WireType.StartGroup), tag(98, WireType.EndGroup))],
  ["100,000 groups in each other", Buffer.alloc(200_000, tag(99, WireType.StartGroup))],
])("refuses %s as undecodable", (_name, bytes) => {
  const message = "the request cannot be decoded; generate the client from the proto that the service serves";
  expect(() => decode(bytes)).toThrow(expect.objectContaining({ reason: "UNDECODABLE_REQUEST", message }));
});

test.each([
  ["model", inside(1, Buffer.of(0xff))],
  ['metadata.attributes["\ufffd"].key', attributes(inside(1, inside(1, Buffer.of(0xff)), inside(2, varint(4, 1))))],
])("tells that %s is no UTF-8", (field, bytes) => {
  const description = "is not UTF-8; send text in UTF-8, and bytes in base64";
  const violations = [{ field, description, reason: "INVALID_FIELD" }];
  expect(() => decode(bytes)).toThrow(expect.objectContaining({ reason: "INVALID_REQUEST", violations }));
});

test("answers or refuses damaged bytes, and never fails otherwise", () => {
  const damaged = fc
    .tuple(arbitraryMetadata(), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }))
    .map(([damagedMetadata, damages]) => {
      const request = create(RegisterVersionRequestSchema, { model: "a", metadata: damagedMetadata });
      const bytes = toBinary(RegisterVersionRequestSchema, request);
      for (const [at, byte] of damages) bytes[at % bytes.length] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(damaged, (bytes) => {
      const before = Buffer.from(bytes);
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toMatchObject({
          reason: expect.stringMatching(/^(INVALID_REQUEST|UNKNOWN_FIELD|UNDECODABLE_REQUEST)$/),
        });
      }
      expect(before.equals(bytes)).toBe(true);
    }),
    { numRuns: 5000 },
  );
});
