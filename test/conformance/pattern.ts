// What a case expects, against what came: texts that begin with $ are names. A name stands for what is known by it, or takes
// what it meets first, and from then on everything by that name has to be the same.

/** What the names of a case stand for. */
export type Names = Map<string, unknown>;

/** The value with every name in its texts replaced by what it stands for; unknown ones stay. */
export function substitute(value: unknown, names: Names): unknown {
  if (typeof value === "string") return substituteText(value, names);
  if (Array.isArray(value)) return value.map((each) => substitute(each, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [String(substituteText(key, names)), substitute(each, names)]),
  );
}

/**
 * What is different, as lines for a person; empty where the value fits. Messages and lists fit as a whole; null stands for
 * what must not be there.
 */
export function findDifferences(expected: unknown, actual: unknown, names: Names, path = ""): string[] {
  if (typeof expected === "string") return compareText(expected, actual, names, path);
  if (Array.isArray(expected)) return compareLists(expected, actual, names, path);
  if (typeof expected === "object" && expected !== null) return compareMembers(expected, actual, names, path);
  return (expected ?? undefined) === (actual ?? undefined) ? [] : [differs(expected, actual, path)];
}

/** As `findDifferences`, but only for the members that are expected; others may be there. */
export function findDifferencesWithin(expected: object, actual: object, names: Names, path = ""): string[] {
  const looked = Object.fromEntries(Object.entries(actual).filter(([key]) => key in expected));
  return compareMembers(expected, looked, names, path);
}

// What a name may take, by how it begins.
const SHAPES = {
  $digest: /^sha256:[0-9a-f]{64}$/,
  $time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/,
} as const;

function compareText(expected: string, actual: unknown, names: Names, path: string): string[] {
  const name = /^\$\w+$/.exec(expected)?.[0];
  if (name === undefined || names.has(name)) {
    const known = substituteText(expected, names);
    return isSame(known, actual, name) ? [] : [differs(known, actual, path)];
  }
  const shape = Object.entries(SHAPES).find(([prefix]) => name.startsWith(prefix))?.[1] ?? /./s;
  if (typeof actual !== "string" || !shape.test(actual)) return [differs(expected, actual, path)];
  names.set(name, actual);
  return [];
}

// The same moment may be written with and without its thousandths.
function isSame(known: unknown, actual: unknown, name = ""): boolean {
  if (name.startsWith("$time")) return Date.parse(String(known)) === Date.parse(String(actual));
  return known === actual;
}

function compareLists(expected: readonly unknown[], actual: unknown, names: Names, path: string): string[] {
  if (!Array.isArray(actual)) return [differs(expected, actual, path)];
  const differences = expected.flatMap((each, index) =>
    index < actual.length ? findDifferences(each, actual[index], names, `${path}[${index}]`) : [],
  );
  if (expected.length === actual.length) return differences;
  return [...differences, `${path}: expected ${expected.length} items, got ${actual.length}`];
}

function compareMembers(expected: object, actual: unknown, names: Names, path: string): string[] {
  if (typeof actual !== "object" || actual === null || Array.isArray(actual)) return [differs(expected, actual, path)];
  const known = new Map(Object.entries(expected));
  const given = new Map<string, unknown>(Object.entries(actual));
  const keys = [...known.keys(), ...[...given.keys()].filter((key) => !known.has(key))];
  return keys.flatMap((key) => findDifferences(known.get(key) ?? null, given.get(key), names, `${path}.${key}`));
}

function substituteText(value: string, names: Names): unknown {
  if (names.has(value)) return names.get(value);
  return value.replaceAll(/\$\w+/g, (name) => String(names.get(name) ?? name));
}

function differs(expected: unknown, actual: unknown, path: string): string {
  return `${path}: expected ${shown(expected)}, got ${shown(actual)}`;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
