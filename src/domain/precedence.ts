// The order-preserving key of a version: comparing keys byte by byte, as Postgres compares bytea, gives the
// precedence of SemVer 2.0.0 (clause 11). Build metadata is no part of it, so that a key is also the identity of
// a version. It is stored for ever: the layout never changes.
//
//     key        = number(major) number(minor) number(patch) ( 02 | 01 identifier... )    02: a release
//     identifier = 01 number  |  02 ASCII characters 00                                   numeric | alphanumeric
//     number     = one byte, 00 to EF (0 to 239)  |  EF+n and n bytes, big-endian, without leading zeros
//
//     1.2.3         01 02 03 02                      0.240.65536       00 F0F0 F2010000 02
//     1.2.3-rc      01 02 03 01 02726300             1.2.3-rc.1        01 02 03 01 02726300 0101
//     1.2.3-1       01 02 03 01 0101                 1.2.3-rc1         01 02 03 01 0272633100
//
// A prefix of an identifier list is a prefix of its key and sorts first; 00 ends text below every character.

import { parseVersion, type Version } from "./version.ts";
import { Violations } from "./violations.ts";

/** The longest key, in bytes: that of a version of 128 bytes with 61 prerelease identifiers, nearly all one letter. */
export const MAX_PRECEDENCE_BYTES = 188;

const RELEASE = 0x02;
const PRERELEASE = 0x01;
const NUMERIC = 0x01;
const ALPHANUMERIC = 0x02;
const END_OF_TEXT = 0x00;
/** Up to here a number is its own single byte; above, the distance from here is the count of bytes that follow. */
const SINGLE_BYTE_MAX = 0xef;

/** The key of the version's precedence; versions that differ only in build metadata have the same one. */
export function encodePrecedence(version: Version): Uint8Array {
  const key: number[] = [];
  pushNumber(key, version.major);
  pushNumber(key, version.minor);
  pushNumber(key, version.patch);
  key.push(version.prerelease.length === 0 ? RELEASE : PRERELEASE);
  for (const identifier of version.prerelease) pushIdentifier(key, identifier);
  return Uint8Array.from(key);
}

function pushIdentifier(key: number[], identifier: string | number): void {
  if (typeof identifier === "number") {
    key.push(NUMERIC);
    pushNumber(key, identifier);
    return;
  }
  key.push(ALPHANUMERIC);
  for (let i = 0; i < identifier.length; i++) key.push(identifier.charCodeAt(i));
  key.push(END_OF_TEXT);
}

// Division, because the bit operators of JavaScript stop at 32 bits.
function pushNumber(key: number[], value: number): void {
  if (value <= SINGLE_BYTE_MAX) {
    key.push(value);
    return;
  }
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  key.push(SINGLE_BYTE_MAX + bytes.length, ...bytes);
}

/** The version that has this key, without build metadata, or undefined where no version has it. */
export function decodePrecedence(key: Uint8Array): Version | undefined {
  if (key.length > MAX_PRECEDENCE_BYTES) return undefined;
  const version = parseVersion(formatPrecedence(key), "", new Violations());
  if (version === undefined) return undefined;
  // Whatever is not canonical (a number in too many bytes, bytes left over or missing) has another key.
  return Buffer.compare(encodePrecedence(version), key) === 0 ? version : undefined;
}

/** Whether the key, which must be one, is that of a release. */
export function isRelease(key: Uint8Array): boolean {
  return key[coreLength(key)] === RELEASE;
}

/** The first key from this one on that a release can have. */
export function firstReleaseKey(key: Uint8Array): Uint8Array {
  const length = coreLength(key);
  return key[length] === PRERELEASE ? Buffer.concat([key.subarray(0, length), Buffer.of(RELEASE)]) : key;
}

function coreLength(key: Uint8Array): number {
  let at = 0;
  for (let number = 0; number < 3; number++) at += 1 + Math.max(0, (key[at] ?? 0) - SINGLE_BYTE_MAX);
  return at;
}

/** The text of the version that has this key, which must be one; without build metadata. */
export function formatPrecedence(key: Uint8Array): string {
  let position = 0;
  const byte = () => key[position++] ?? END_OF_TEXT;
  const number = () => {
    const first = byte();
    if (first <= SINGLE_BYTE_MAX) return first;
    let value = 0;
    for (let left = first - SINGLE_BYTE_MAX; left > 0; left--) value = value * 256 + byte();
    return value;
  };
  const characters = () => {
    let text = "";
    for (let code = byte(); code !== END_OF_TEXT; code = byte()) text += String.fromCharCode(code);
    return text;
  };
  const core = `${number()}.${number()}.${number()}`;
  if (byte() === RELEASE) return core;
  const identifiers: (string | number)[] = [];
  while (position < key.length) identifiers.push(byte() === NUMERIC ? number() : characters());
  return `${core}-${identifiers.join(".")}`;
}
