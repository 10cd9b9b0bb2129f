// What each message may look like on the wire, by its descriptor; compiled once and kept. Paths leave out the
// messages that google.protobuf.Struct wraps around a JSON value: the attribute `a` is at `attributes.a`, not at
// `attributes.fields["a"].string_value`.

import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { attributePath, elementPath, entryPath, fieldPath } from "./field-path.ts";

/** A message, or the entry of a map, which is one on the wire but none to the decoder. */
export interface MessagePlan {
  readonly fields: ReadonlyMap<number, FieldPlan>;
  readonly isEntry: boolean;
  /** At least one field that `isKind` must occur: without one the decoder makes a null of a JSON value. */
  readonly needsKind: boolean;
}

/** A field of a message. */
export interface FieldPlan {
  readonly number: number;
  readonly name: string;
  readonly wireType: WireType;
  /** Numbers in a list may also come together, length-delimited. */
  readonly packable: boolean;
  /** Text must be UTF-8, or the decoder refuses the whole message without saying where. */
  readonly isText: boolean;
  readonly isKind: boolean;
  readonly cardinality: "singular" | "list" | "map";
  /** The message inside; undefined in a field of scalars. */
  readonly message: MessagePlan | undefined;
  /** The path of one occurrence: below its message's path, by the index in a list, by the key in a map's entry. */
  readonly path: (parent: string, index: number, content: Uint8Array) => string;
}

const plans = new WeakMap<DescMessage, MessagePlan>();

/** The plan of a message. */
export function planOf(desc: DescMessage): MessagePlan {
  const known = plans.get(desc);
  if (known !== undefined) return known;
  const fields = new Map<number, FieldPlan>();
  const plan = { fields, isEntry: false, needsKind: isValue(desc) };
  plans.set(desc, plan); // Before the fields, because a message may hold itself.
  for (const field of desc.fields) fields.set(field.number, planField(field));
  return plan;
}

function planField(field: DescField): FieldPlan {
  const { number, name, parent, fieldKind } = field;
  const path = pathOf(field);
  const cardinality = fieldKind === "list" || fieldKind === "map" ? fieldKind : "singular";
  const isText = fieldKind !== "map" && field.scalar === ScalarType.STRING;
  const common = { number, name, cardinality, isKind: isValue(parent), packable: false, isText, path } as const;
  if (fieldKind === "map") return { ...common, wireType: WireType.LengthDelimited, message: planEntry(field) };
  const wireType = wireTypeOf(field);
  if (field.message !== undefined) return { ...common, wireType, message: planOf(field.message) };
  return {
    ...common,
    wireType,
    packable: fieldKind === "list" && wireType !== WireType.LengthDelimited,
    message: undefined,
  };
}

function planEntry(map: DescField & { fieldKind: "map" }): MessagePlan {
  const common = { cardinality: "singular", packable: false, path: (entry: string) => entry } as const;
  const keyType = wireTypeOf({ scalar: map.mapKey });
  const isText = map.mapKey === ScalarType.STRING;
  const key = { ...common, number: 1, name: "key", wireType: keyType, isText, isKind: false, message: undefined };
  const message = map.message && planOf(map.message);
  const isTextValue = map.scalar === ScalarType.STRING;
  const wireType = wireTypeOf(map);
  const value = { ...common, number: 2, name: "value", wireType, isText: isTextValue, isKind: true, message };
  const fields = new Map<number, FieldPlan>([
    [1, key],
    [2, value],
  ]);
  return { fields, isEntry: true, needsKind: map.message !== undefined && isValue(map.message) };
}

function pathOf({ name, parent, fieldKind }: DescField): FieldPlan["path"] {
  switch (parent.typeName) {
    case "google.protobuf.Struct":
      return (path, _index, entry) => attributePath(path, keyOf(entry));
    case "google.protobuf.ListValue":
      return elementPath;
    case "google.protobuf.Value":
      return (path) => path;
  }
  if (fieldKind === "map") return (path, _index, entry) => entryPath(fieldPath(path, name), keyOf(entry));
  if (fieldKind === "list") return (path, index) => elementPath(fieldPath(path, name), index);
  return (path) => fieldPath(path, name);
}

// The last key counts, as for the decoder. Only keys of text are read; others have no path in this API.
function keyOf(entry: Uint8Array): string {
  const reader = new BinaryReader(entry);
  let key = "";
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === WireType.LengthDelimited) key = reader.string();
    else reader.skip(wireType, number);
  }
  return key;
}

function isValue(desc: DescMessage): boolean {
  return desc.typeName === "google.protobuf.Value";
}

interface WireTyped {
  readonly scalar?: ScalarType | undefined;
  readonly enum?: DescEnum | undefined;
}

function wireTypeOf(field: WireTyped): WireType {
  if (field.enum !== undefined) return WireType.Varint;
  switch (field.scalar) {
    case undefined: // A message.
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
