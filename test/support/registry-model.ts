// The registry as a person would write it down: two lists of versions and what the documents say about them. It shares
// no code with the service, so that the two can be compared. Ranges alone are semver's.

import { satisfies } from "semver";
import type { ModelVersion } from "../../gen/stele/v1/model_version_pb.ts";

/** A registration in plain values; the model and the dependencies' models are indexes. */
export interface PlainRegistration {
  readonly model: number;
  readonly number: string | PlainIncrement;
  readonly description: string;
  readonly dependencies: readonly { readonly model: number; readonly version: string }[];
  readonly requestId: string;
  readonly validateOnly: boolean;
}

/** An increment; empty texts are absent. */
export interface PlainIncrement {
  readonly level: 1 | 2 | 3;
  readonly within: string;
  readonly prerelease: string;
}

/** A refusal as the service tells it. */
export interface Refusal {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the model expects of a registration. */
export type Expectation =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "repeated"; readonly entry: Entry }
  | { readonly kind: "valid" | "stored"; readonly version: string };

/** A version in the model: the registration and the record that was answered. */
export interface Entry {
  readonly version: string;
  readonly registration: PlainRegistration;
  readonly record: ModelVersion;
}

const maxNumber = 9007199254740991n;

/** Some models by index, under names that are told once. */
export class RegistryModel {
  readonly names: readonly string[];
  readonly #entries: Entry[][];

  constructor(names: readonly string[]) {
    this.names = names;
    this.#entries = names.map(() => []);
  }

  /** The entries of a model, lowest first. */
  entries(model: number): readonly Entry[] {
    return (this.#entries[model] ?? []).toSorted((a, b) => compareVersions(a.version, b.version));
  }

  /** The entry of the version, whatever its build metadata. */
  find(model: number, version: string): Entry | undefined {
    return this.entries(model).find((entry) => compareVersions(entry.version, version) === 0);
  }

  /** Notes what was stored. */
  add(entry: Entry): void {
    this.#entries[entry.registration.model]?.push(entry);
  }

  /** What must become of the registration. */
  expect(registration: PlainRegistration): Expectation {
    const { model, number, requestId, validateOnly } = registration;
    const itself = typeof number === "string" ? this.#findItself(registration, number) : -1;
    if (itself >= 0) {
      const description = "is the version itself; name only earlier versions";
      return invalid(`metadata.dependencies[${itself}]`, description);
    }
    const first = this.entries(model).find((entry) => requestId !== "" && entry.registration.requestId === requestId);
    if (first !== undefined) {
      if (isRepetition(registration, first)) return { kind: "repeated", entry: first };
      const metadata = { model: this.#name(model), request_id: requestId, existing_version: first.version };
      return refused("REQUEST_ID_REUSED", metadata);
    }
    const version = typeof number === "string" ? number : this.#next(model, number);
    if (typeof version !== "string") return version;
    const existing = this.find(model, version);
    if (existing !== undefined) return this.#taken(registration, version, existing);
    const missing = registration.dependencies.filter((each) => this.find(each.model, each.version) === undefined);
    if (missing[0] !== undefined) {
      const dependency = `${this.#name(missing[0].model)}@${missing[0].version}`;
      return refused("DEPENDENCY_NOT_FOUND", { dependency, missing: String(missing.length) });
    }
    return { kind: validateOnly ? "valid" : "stored", version };
  }

  #findItself({ model, dependencies }: PlainRegistration, version: string): number {
    return dependencies.findIndex((each) => each.model === model && compareVersions(each.version, version) === 0);
  }

  #taken({ model, description, dependencies }: PlainRegistration, version: string, existing: Entry): Expectation {
    const { seconds = 0n, nanos = 0 } = existing.record.registeredAt ?? {};
    const isSame =
      existing.version === version && contentOf(existing.registration) === contentOf({ description, dependencies });
    return refused("VERSION_ALREADY_EXISTS", {
      model: this.#name(model),
      version,
      existing_version: existing.version,
      existing_digest: existing.record.digest,
      registered_at: new Date(Number(seconds) * 1000 + nanos / 1e6).toISOString(),
      identical: String(isSame),
    });
  }

  #next(model: number, { level, within, prerelease }: PlainIncrement): string | Expectation {
    const versions = this.entries(model).map((entry) => partsOf(entry.version));
    const bases = versions.filter(({ identifiers, core }) => {
      return identifiers.length === 0 && (within === "" || satisfies(core, within));
    });
    const base = bases.at(-1);
    if (base === undefined && within !== "") {
      return refused("NO_BASE_VERSION", { model: this.#name(model), within });
    }
    const numbers = (base?.core ?? "0.0.0").split(".").map(BigInt);
    const raised = numbers.map((number, at) => (at < level - 1 ? number : at === level - 1 ? number + 1n : 0n));
    if (raised.some((number) => number > maxNumber)) return refused("VERSION_OUT_OF_RANGE", {});
    const target = raised.join(".");
    if (within !== "" && !satisfies(target, within)) {
      const description = `leads from ${base?.core} to ${target}, outside of ${within}; use another level or range`;
      return invalid("increment.level", description);
    }
    if (prerelease === "") return target;
    const label = prerelease.split(".");
    const cars = versions
      .filter(({ core, identifiers }) => core === target && label.every((part, at) => part === identifiers[at]))
      .map(({ identifiers }) => identifiers[label.length] ?? "")
      .filter((car) => /^\d+$/.test(car));
    return `${target}-${prerelease}.${cars.reduce((highest, car) => (BigInt(car) > highest ? BigInt(car) : highest), 0n) + 1n}`;
  }

  #name(model: number): string {
    return this.names[model] ?? "";
  }
}

function refused(reason: string, metadata: Refusal["metadata"]): Expectation {
  return { kind: "refused", refusal: { reason, metadata } };
}

function invalid(field: string, description: string): Expectation {
  return refused("INVALID_REQUEST", { field, description, violations: "1" });
}

/** What of the metadata decides whether two registrations have the same content. */
export function contentOf({ description, dependencies }: Pick<PlainRegistration, "description" | "dependencies">) {
  return JSON.stringify([description, dependencies.map(({ model, version }) => [model, version])]);
}

function isRepetition(registration: PlainRegistration, first: Entry): boolean {
  if (contentOf(registration) !== contentOf(first.registration)) return false;
  const { number } = registration;
  if (typeof number === "string") return number === first.version;
  const { core, identifiers } = partsOf(first.version);
  const [, minor, patch] = core.split(".");
  const level = patch !== "0" ? 3 : minor !== "0" ? 2 : 1;
  const train = number.prerelease === "" ? [] : number.prerelease.split(".");
  const isOfTrain =
    train.length === 0
      ? identifiers.length === 0
      : identifiers.length === train.length + 1 &&
        train.every((part, at) => part === identifiers[at]) &&
        /^[1-9]\d*$/.test(identifiers.at(-1) ?? "");
  const isInside = number.within === "" || satisfies(core, number.within);
  return core !== "0.0.0" && level === number.level && isOfTrain && isInside;
}

function partsOf(version: string): { core: string; identifiers: string[] } {
  const [precedence = ""] = version.split("+");
  const [core = "", ...rest] = precedence.split("-");
  const prerelease = rest.join("-");
  return { core, identifiers: prerelease === "" ? [] : prerelease.split(".") };
}

/** Precedence by clause 11 of SemVer 2.0.0: negative, zero or positive. */
export function compareVersions(left: string, right: string): number {
  const a = partsOf(left);
  const b = partsOf(right);
  const byCore = compareLists(a.core.split("."), b.core.split("."));
  if (byCore !== 0 || a.identifiers.length === 0 || b.identifiers.length === 0) {
    return byCore || Number(a.identifiers.length === 0) - Number(b.identifiers.length === 0);
  }
  return compareLists(a.identifiers, b.identifiers);
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (const [at, left] of a.entries()) {
    const right = b[at];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumber, isOtherNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && isOtherNumber) return Number(BigInt(a) - BigInt(b));
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
  return a < b ? -1 : Number(a > b);
}
