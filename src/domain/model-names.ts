// A set of models' names, as a policy grants them: by name, or by how names begin. Names are ASCII, so that the order of
// strings here is the order of bytes in the store.

/** Names from the first bound on, before the second. */
export interface NameInterval {
  readonly from: string;
  readonly to: string;
}

// No character of a name comes before the one, and none after the other.
const BEFORE_NAMES = "!";
const AFTER_NAMES = "~";

/** A set of models' names. */
export class ModelNames {
  /** Every name. */
  static readonly all = new ModelNames([{ from: "", to: AFTER_NAMES }]);

  /** Disjoint, in their order. */
  readonly #intervals: readonly NameInterval[];

  private constructor(intervals: readonly NameInterval[]) {
    this.#intervals = intervals;
  }

  /** The names that a pattern stands for: itself, or with `*` at its end all that begin with what is before it. */
  static matching(patterns: readonly string[]): ModelNames {
    const intervals = patterns.map(toInterval).sort((a, b) => (a.from < b.from ? -1 : 1));
    return new ModelNames(merge(intervals));
  }

  /** Whether there is no name in it. */
  get isEmpty(): boolean {
    return this.#intervals.length === 0;
  }

  /** Whether the name is in it. */
  has(name: string): boolean {
    return this.#intervals.some(({ from, to }) => from <= name && name < to);
  }

  /** The names in it that begin with the prefix, as disjoint intervals in their order. */
  beginningWith(prefix: string): NameInterval[] {
    const bounds = { from: prefix, to: `${prefix}${AFTER_NAMES}` };
    return this.#intervals.map((interval) => intersect(interval, bounds)).filter(({ from, to }) => from < to);
  }
}

function toInterval(pattern: string): NameInterval {
  if (!pattern.endsWith("*")) return { from: pattern, to: `${pattern}${BEFORE_NAMES}` };
  const beginning = pattern.slice(0, -1);
  return { from: beginning, to: `${beginning}${AFTER_NAMES}` };
}

function merge(sorted: readonly NameInterval[]): NameInterval[] {
  const merged: NameInterval[] = [];
  for (const { from, to } of sorted) {
    const last = merged.at(-1);
    if (last === undefined || last.to < from) merged.push({ from, to });
    else if (last.to < to) merged[merged.length - 1] = { from: last.from, to };
  }
  return merged;
}

function intersect(a: NameInterval, b: NameInterval): NameInterval {
  const [, from = ""] = [a.from, b.from].sort();
  const [to = ""] = [a.to, b.to].sort();
  return { from, to };
}
