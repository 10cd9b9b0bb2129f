import { BinaryReader } from "@bufbuild/protobuf/wire";

const ENTRIES = 1;

/** How many entries a list response has: both have them in field 1. */
export function countEntries(message: Uint8Array): number {
  const reader = new BinaryReader(message);
  let count = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === ENTRIES) count += 1;
    reader.skip(type);
  }
  return count;
}
