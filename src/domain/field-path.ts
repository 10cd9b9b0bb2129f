// The paths by which violations name fields, with the field names of the proto:
//
//     metadata.artifacts[2].digest         elements of a list by index, from 0
//     metadata.metrics["test/accuracy"]    entries of a map by key, as a JSON string
//     metadata.attributes.a.b[3]["c d"]    attributes as in JavaScript: bare names bare, other keys as JSON strings
//     metadata.artifacts[2].99             fields that this release does not know by number
//
// Keys are cut to 64 characters and paths go on with "…" for what is below 256, so that no error is flooded.

import { quote } from "./quote.ts";

const MAX_PATH_LENGTH = 256;

/** The path of a field of the message at `parent`; the request itself is at "". */
export function fieldPath(parent: string, name: string | number): string {
  return parent === "" ? String(name) : below(parent, `.${name}`);
}

/** The path of an element of the list at `list`. */
export function elementPath(list: string, index: number): string {
  return below(list, `[${index}]`);
}

/** The path of an entry of the map at `map`. */
export function entryPath(map: string, key: string): string {
  return below(map, `[${quote(key)}]`);
}

/** The path of a member of the attributes, or of an object in them, at `parent`. */
export function attributePath(parent: string, key: string): string {
  return below(parent, /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(key) ? `.${key}` : `[${quote(key)}]`);
}

function below(parent: string, step: string): string {
  if (parent.length <= MAX_PATH_LENGTH) return parent + step;
  return parent.endsWith("…") ? parent : `${parent}…`;
}
