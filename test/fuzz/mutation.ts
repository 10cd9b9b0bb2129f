// Damage to bytes: some know nothing of what they damage, some take a protobuf message apart first.

import type { Random } from "../hammer/random.ts";
import { anyBytes, between, pick, repeat } from "./choice.ts";
import { brokenVarints, hostileDoubles, hostileTexts, hostileVarints } from "./hostile.ts";
import { bytesField, type Field, parseFields, tagOf, varint, WireType, writeField } from "./wire.ts";

type Mutation = (random: Random, bytes: Buffer, other: Buffer) => Buffer;
type Edit = (random: Random, field: Field) => Buffer;

const byteMutations: readonly Mutation[] = [flipBits, truncate, insertBytes, cut, splice, repeatPart];
const edits: readonly Edit[] = [
  repeatField,
  dropField,
  changeType,
  changeNumber,
  changeLength,
  wrapInGroup,
  nest,
  replaceValue,
  replaceValue,
  replaceValue,
];

/** The bytes damaged one to three times, sometimes with parts of the others. */
export function mutateBytes(random: Random, bytes: Buffer, other: Buffer): Buffer {
  return mutateTimes(random, bytes, (damaged) => pick(random, byteMutations)(random, damaged, other));
}

/** A message damaged one to three times, mostly so that it can still be taken apart. */
export function mutateMessage(random: Random, bytes: Buffer, other: Buffer): Buffer {
  return mutateTimes(random, bytes, (damaged) =>
    random.percent(70)
      ? editMessage(random, damaged, pick(random, edits))
      : pick(random, byteMutations)(random, damaged, other),
  );
}

function mutateTimes(random: Random, bytes: Buffer, mutate: (bytes: Buffer) => Buffer): Buffer {
  let damaged = bytes;
  for (let left = between(random, 1, 3); left > 0; left -= 1) damaged = mutate(damaged);
  return damaged;
}

function flipBits(random: Random, bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  for (let left = between(random, 1, 8); left > 0 && bytes.length > 0; left -= 1) {
    const at = random.below(bytes.length);
    flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << random.below(8)), at);
  }
  return flipped;
}

function truncate(random: Random, bytes: Buffer): Buffer {
  return bytes.subarray(0, random.below(bytes.length + 1));
}

function insertBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), anyBytes(random, between(random, 1, 16)), bytes.subarray(at)]);
}

function cut(random: Random, bytes: Buffer): Buffer {
  const [from, to] = anyPart(random, bytes);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
}

function splice(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const rest = other.subarray(random.below(other.length + 1));
  return Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), rest]);
}

function repeatPart(random: Random, bytes: Buffer): Buffer {
  const [from, to] = anyPart(random, bytes);
  const part = bytes.subarray(from, Math.min(to, from + 200));
  return Buffer.concat([bytes.subarray(0, to), ...repeat(between(random, 1, 20), () => part), bytes.subarray(to)]);
}

function anyPart(random: Random, bytes: Buffer): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  return [from, between(random, from, bytes.length)];
}

/** Edits one field, at any depth. */
function editMessage(random: Random, bytes: Buffer, edit: Edit): Buffer {
  const fields = parseFields(bytes) ?? [];
  if (fields.length === 0) return edit(random, { number: between(random, 1, 12), type: WireType.BYTES, bytes });
  const chosen = random.below(fields.length);
  return Buffer.concat(
    fields.map((field, index) => (index === chosen ? editField(random, field, edit) : writeField(field))),
  );
}

function editField(random: Random, field: Field, edit: Edit): Buffer {
  const isMessage = field.type === WireType.BYTES && (parseFields(field.bytes) ?? []).length > 0;
  if (!isMessage || random.percent(40)) return edit(random, field);
  return writeField({ ...field, bytes: editMessage(random, field.bytes, edit) });
}

function repeatField(random: Random, field: Field): Buffer {
  const times = field.bytes.length > 1000 ? 2 : pick(random, [2, 3, 70, 300, 1001]);
  return Buffer.concat(repeat(times, () => writeField(field)));
}

function dropField(): Buffer {
  return Buffer.alloc(0);
}

function changeType(random: Random, field: Field): Buffer {
  return writeField({ ...field, type: random.below(8) });
}

function changeNumber(random: Random, field: Field): Buffer {
  return writeField({ ...field, number: pick(random, [0, between(random, 1, 13), 19_000, 2 ** 29 - 1, 2 ** 29]) });
}

function changeLength(random: Random, { number, bytes }: Field): Buffer {
  const lengths = [
    varint(bytes.length + between(random, 1, 300)),
    varint(random.below(bytes.length + 1)),
    ...hostileVarints.slice(2),
    ...brokenVarints,
  ];
  return Buffer.concat([tagOf(number, WireType.BYTES), pick(random, lengths), bytes]);
}

function wrapInGroup(random: Random, field: Field): Buffer {
  const depth = pick(random, [1, 1, 2, 101, 5000]);
  const start = repeat(depth, () => tagOf(field.number, WireType.START_GROUP));
  const ends = pick(random, [depth, depth, depth - 1, depth + 1]);
  const end = repeat(ends, () => tagOf(pick(random, [field.number, field.number, 1]), WireType.END_GROUP));
  return Buffer.concat([...start, writeField(field), ...end]);
}

function nest(random: Random, field: Field): Buffer {
  let nested = field.bytes;
  for (let left = pick(random, [2, 16, 101, 500]); left > 0; left -= 1) nested = bytesField(field.number, nested);
  return nested;
}

function replaceValue(random: Random, field: Field): Buffer {
  switch (field.type) {
    case WireType.VARINT:
      return writeField({ ...field, bytes: pick(random, [...hostileVarints, ...brokenVarints]) });
    case WireType.FIXED64:
      return writeField({ ...field, bytes: pick(random, hostileDoubles) });
    default:
      return writeField({ ...field, bytes: hostileText(random, field.bytes) });
  }
}

/** Something quite else, or the text with something inside. */
function hostileText(random: Random, text: Buffer): Buffer {
  const hostile = pick(random, hostileTexts);
  if (random.percent(60)) return hostile;
  const at = random.below(text.length + 1);
  return Buffer.concat([text.subarray(0, at), hostile, text.subarray(at)]);
}
