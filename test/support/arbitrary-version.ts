import fc from "fast-check";

// Where the layout of precedence keys changes, and small numbers so that two versions often share some.
const boundaries = [
  0,
  1,
  2,
  9,
  10,
  127,
  128,
  239,
  240,
  255,
  256,
  65_535,
  65_536,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 2,
  2 ** 53 - 1,
];

/** A numeric identifier. */
export function arbitraryNumber(): fc.Arbitrary<number> {
  return fc.oneof({ arbitrary: fc.constantFrom(...boundaries), weight: 4 }, { arbitrary: fc.maxSafeNat(), weight: 1 });
}

/** An identifier of a prerelease. */
export function arbitraryIdentifier(): fc.Arbitrary<string> {
  const words = fc.constantFrom(
    "alpha",
    "beta",
    "rc",
    "rc1",
    "rc-1",
    "rc-",
    "RC",
    "a",
    "a0",
    "A",
    "Z",
    "z",
    "-",
    "--",
    "-1",
    "0a",
    "1-0",
  );
  const alphanumeric = fc.stringMatching(/^[0-9A-Za-z-]{0,3}[A-Za-z-][0-9A-Za-z-]{0,3}$/);
  return fc.oneof(arbitraryNumber().map(String), words, alphanumeric);
}

/** The text of a release or prerelease, without build metadata. */
export function arbitraryPrecedence(): fc.Arbitrary<string> {
  const core = fc.tuple(arbitraryNumber(), arbitraryNumber(), arbitraryNumber()).map((numbers) => numbers.join("."));
  const prerelease = fc.array(arbitraryIdentifier(), { maxLength: 5 });
  return fc.tuple(core, prerelease).map(join).filter(fits);
}

/** The text of any version that Stele takes. */
export function arbitraryVersion(): fc.Arbitrary<string> {
  const build = fc.option(fc.stringMatching(/^[0-9A-Za-z-]{1,4}(\.[0-9A-Za-z-]{1,4}){0,2}$/), { nil: "" });
  return fc
    .tuple(arbitraryPrecedence(), build)
    .map(([version, metadata]) => (metadata === "" ? version : `${version}+${metadata}`))
    .filter(fits);
}

/** Two versions, often of one core and with a common beginning of their prereleases. */
export function arbitraryVersionPair(): fc.Arbitrary<[string, string]> {
  const identifiers = (maxLength: number) => fc.array(arbitraryIdentifier(), { maxLength });
  const related = fc
    .tuple(fc.constantFrom("1.0.0", "0.239.240", "65535.65536.2"), identifiers(3), identifiers(2), identifiers(2))
    .map(([core, shared, left, right]): [string, string] => [
      join([core, [...shared, ...left]]),
      join([core, [...shared, ...right]]),
    ])
    .filter((pair) => pair.every(fits));
  return fc.oneof(related, fc.tuple(arbitraryVersion(), arbitraryVersion()));
}

function join([core, prerelease]: [string, string[]]): string {
  return prerelease.length === 0 ? core : `${core}-${prerelease.join(".")}`;
}

function fits(version: string): boolean {
  return version.length <= 128;
}
