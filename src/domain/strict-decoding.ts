// What is stored for ever is only what was understood. The decoder drops what it does not know inside maps and
// attributes, takes an attribute without a kind for null, and reads a field of another wire type as if it had its
// own; text that is no UTF-8 it refuses without a path. So the bytes of a request are walked by the descriptors before they are decoded.
//
// Left as protobuf has it: a singular message that occurs again is merged, the last of a oneof and the last entry
// of a map's key count. Numbers of an enum that have no name are judged where the
// enum is used; a null_value is null whatever its number.

import { isUtf8 } from "node:buffer";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { undecodableRequest } from "./call-errors.ts";
import { RegistryError } from "./errors.ts";
import { fieldPath } from "./field-path.ts";
import type { Violations } from "./violations.ts";
import { type FieldPlan, type MessagePlan, planOf } from "./wire-plan.ts";

/** How deep the decoder goes. */
const MAX_LEVELS = 100;

/** How many messages and map entries a request may have: more than a record within its limits, few enough to decode. */
const MAX_MESSAGES = 65_536;

/**
 * The message in `bytes`. Adds what decoding it would lose: fields that are not known, at any depth, and attributes
 * without a kind. Throws UNDECODABLE_REQUEST for bytes that are no message; and the request's error, with everything
 * added so far, where a field has another type, is no UTF-8, is nested too deeply, or holds too many messages to be decoded.
 */
export function decodeStrictly<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  violations: Violations,
): MessageShape<Desc> {
  try {
    const walk = new WireWalk(bytes, violations);
    walk.message(planOf(schema), { message: new MessageOnWire(() => ""), end: bytes.length, level: 1 });
    if (!walk.decodable) throw violations.toError();
    return fromBinary(schema, bytes, { readUnknownFields: false, recursionLimit: MAX_LEVELS });
  } catch (cause) {
    throw cause instanceof RegistryError ? cause : undecodableRequest(cause);
  }
}

/** A message of the request. It may be in several pieces on the wire, which count as one. */
class MessageOnWire {
  /** Called for a violation only, so that good requests pay for no paths. */
  readonly path: () => string;
  #elements: Map<number, number> | undefined;
  #members: Map<number, MessageOnWire> | undefined;

  constructor(path: () => string) {
    this.path = path;
  }

  /** Counts an element of the list; answers its index. */
  nextIndex(list: number): number {
    this.#elements ??= new Map();
    const index = this.#elements.get(list) ?? 0;
    this.#elements.set(list, index + 1);
    return index;
  }

  member(field: number, path: () => string): MessageOnWire {
    this.#members ??= new Map();
    const known = this.#members.get(field);
    if (known !== undefined) return known;
    const member = new MessageOnWire(path);
    this.#members.set(field, member);
    return member;
  }
}

/** Where the walk is: in which message, which ends where, and how many messages deep. */
interface Place {
  readonly message: MessageOnWire;
  readonly end: number;
  readonly level: number;
}

class WireWalk {
  /** Whether the decoder can read the bytes as they are meant. */
  decodable = true;
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  readonly #violations: Violations;
  #messages = 0;

  constructor(bytes: Uint8Array, violations: Violations) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
    this.#violations = violations;
  }

  message(plan: MessagePlan, place: Place): void {
    const reader = this.#reader;
    this.#messages += 1;
    if (this.#messages > MAX_MESSAGES) this.#giveUp(place);
    let hasKind = !plan.needsKind;
    while (reader.pos < place.end) {
      const [number, wireType] = reader.tag();
      const field = plan.fields.get(number);
      if (field?.isKind) hasKind = true;
      this.#field(field, { number, wireType }, place);
    }
    if (reader.pos !== place.end) throw new RangeError("a field ends beyond its message");
    if (!hasKind) this.#violations.addInvalid(place.message.path(), "has no kind; set one, null_value for null");
  }

  #field(field: FieldPlan | undefined, tag: { number: number; wireType: WireType }, place: Place): void {
    if (field === undefined) {
      this.#skip(tag);
      this.#violations.addUnknown(fieldPath(place.message.path(), tag.number));
    } else if (field.wireType !== tag.wireType && !(field.packable && tag.wireType === WireType.LengthDelimited)) {
      this.#skip(tag);
      this.#refuse(
        fieldPath(place.message.path(), field.name),
        "has another type than in the proto; generate the client anew",
      );
    } else if (field.isText) {
      this.#text(field, place);
    } else if (field.message === undefined) {
      this.#skip(tag);
    } else {
      this.#content(field, field.message, place);
    }
  }

  // The decoder would refuse the whole message, and not say where.
  #text(field: FieldPlan, place: Place): void {
    const length = this.#reader.uint32();
    const start = this.#reader.pos;
    this.#reader.pos = start + length;
    if (isUtf8(this.#bytes.subarray(start, start + length))) return;
    this.#refuse(fieldPath(place.message.path(), field.name), "is not UTF-8; send text in UTF-8, and bytes in base64");
  }

  #content(field: FieldPlan, plan: MessagePlan, place: Place): void {
    const length = this.#reader.uint32();
    const start = this.#reader.pos;
    const end = start + length;
    const message = this.#open(field, place.message, { start, end });
    const level = place.level + (plan.isEntry ? 0 : 1);
    if (level <= MAX_LEVELS) {
      this.message(plan, { message, end, level });
    } else {
      this.#reader.pos = end;
      this.#refuse(message.path(), "is nested too deeply to be decoded");
    }
  }

  #open(field: FieldPlan, parent: MessageOnWire, { start, end }: { start: number; end: number }): MessageOnWire {
    const index = field.cardinality === "list" ? parent.nextIndex(field.number) : 0;
    const path = () => field.path(parent.path(), index, this.#bytes.subarray(start, end));
    return field.cardinality === "singular" ? parent.member(field.number, path) : new MessageOnWire(path);
  }

  #skip({ number, wireType }: { number: number; wireType: WireType }): void {
    const reader = this.#reader;
    switch (wireType) {
      case WireType.Varint:
        reader.uint32();
        break;
      case WireType.Bit64:
        reader.pos += 8;
        break;
      case WireType.LengthDelimited: {
        const length = reader.uint32();
        reader.pos += length;
        break;
      }
      default:
        reader.skip(wireType, number);
    }
  }

  #giveUp({ message }: Place): never {
    this.#violations.addInvalid(message.path(), `is beyond the ${MAX_MESSAGES} messages that a request may have`);
    throw this.#violations.toError();
  }

  #refuse(field: string, description: string): void {
    this.decodable = false;
    this.#violations.addInvalid(field, description);
  }
}
