// What rules are made of. A rule adds what is wrong with a field to the violations; an over-long list is one
// violation and is checked up to its limit only, so that the work for a request is bounded. In proto3 an empty
// string is a field that was not given: it breaks no rule but `required`.

import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { elementPath, entryPath, fieldPath } from "./field-path.ts";
import { quote } from "./quote.ts";
import type { Violations } from "./violations.ts";

/** Adds what is wrong with the value of the field at the path. */
export type Rule<Value> = (value: Value, field: string, violations: Violations) => void;

/** A rule for each field of a message: one that is forgotten does not compile. */
export type Rules<M extends Message> = { readonly [Name in Exclude<keyof M, keyof Message>]-?: Rule<M[Name]> };

/** What a text must look like: a test, and how a message goes on after the text. */
export interface Form {
  readonly accepts: (text: string) => boolean;
  readonly otherwise: string;
}

/** The rule of a message by the rules of its fields. */
export function message<M extends Message>(schema: GenMessage<M>, rules: Rules<M>): Rule<M> {
  return (value, field, violations) => {
    for (const { localName, name } of schema.fields) {
      const key = localName as keyof Rules<M>; // Descriptor and type are of the same message of the proto.
      rules[key](value[key], fieldPath(field, name), violations);
    }
  };
}

/** At most so many bytes and, if given, of this form. */
export function text(maxBytes: number, form?: Form): Rule<string> {
  return (value, field, violations) => {
    if (value === "") return;
    const sizeBytes = Buffer.byteLength(value);
    if (sizeBytes > maxBytes) violations.addInvalid(field, `has ${sizeBytes} bytes; at most ${maxBytes} are allowed`);
    else if (form?.accepts(value) === false) violations.addInvalid(field, `${quote(value)} ${form.otherwise}`);
  };
}

/** Not empty. */
export function required(rule: Rule<string>): Rule<string> {
  return (value, field, violations) => {
    if (value === "") violations.addInvalid(field, "is required");
    else rule(value, field, violations);
  };
}

/** The rule, where there is a value. */
export function ifPresent<Value>(rule: Rule<Value>): Rule<Value | undefined> {
  return (value, field, violations) => {
    if (value !== undefined) rule(value, field, violations);
  };
}

/** At most so many elements, each by the rule. */
export function listOf<Element>(maxElements: number, rule: Rule<Element>): Rule<readonly Element[]> {
  return (list, field, violations) => {
    checkCount(list.length, maxElements, field, violations);
    for (const [index, element] of list.slice(0, maxElements).entries()) {
      rule(element, elementPath(field, index), violations);
    }
  };
}

/** At most so many entries, each with a key of the form and a value by the rule. */
export function mapOf<Value>(maxEntries: number, key: Form, rule: Rule<Value>): Rule<Readonly<Record<string, Value>>> {
  return (map, field, violations) => {
    const entries = Object.entries(map);
    checkCount(entries.length, maxEntries, field, violations);
    for (const [name, value] of entries.slice(0, maxEntries)) {
      const entry = entryPath(field, name);
      if (!key.accepts(name)) violations.addInvalid(entry, key.otherwise);
      rule(value, entry, violations);
    }
  };
}

/** No infinity and not NaN. */
export function finite(value: number, field: string, violations: Violations): void {
  if (!Number.isFinite(value)) violations.addInvalid(field, `is ${value}; give a finite number`);
}

/** Zero or more. */
export function notNegative(value: bigint, field: string, violations: Violations): void {
  if (value < 0n) violations.addInvalid(field, `is ${value}; it is never negative`);
}

function checkCount(count: number, max: number, field: string, violations: Violations): void {
  if (count > max) violations.addInvalid(field, `has ${count} entries; at most ${max} are allowed`);
}
