// The repository-name grammar of the OCI distribution specification, so that a model's name is also a
// valid name in every OCI registry.

import { quote } from "./quote.ts";
import type { Violations } from "./violations.ts";

declare const brand: unique symbol;

/** A model's name that keeps the grammar; only parseModelName makes one. */
export type ModelName = string & { readonly [brand]: "ModelName" };

/** The longest model name, in bytes. */
const MAX_MODEL_NAME_BYTES = 255;

// Linear: a separator is never a letter or digit, so that there is one way only to split a text into components.
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const grammar = new RegExp(`^${component}(?:/${component})*$`);

/** The model's name in `text`, or undefined after adding what is wrong with `field`. */
export function parseModelName(text: string, field: string, violations: Violations): ModelName | undefined {
  const mistake = findMistake(text);
  if (mistake === undefined) return text as ModelName; // The one place that brands a name.
  violations.addInvalid(field, mistake);
  return undefined;
}

/** The beginning of models' names in `text`, or undefined after adding what is wrong with `field`. */
export function parseModelPrefix(text: string, field: string, violations: Violations): string | undefined {
  if (text.length <= MAX_MODEL_NAME_BYTES && /^[a-z0-9._/-]*$/.test(text)) return text;
  violations.addInvalid(
    field,
    `${quote(text)} begins no model's name; use at most ${MAX_MODEL_NAME_BYTES} of a-z, 0-9, ".", "_", "-" and "/"`,
  );
  return undefined;
}

function findMistake(text: string): string | undefined {
  if (text === "") return "is required; give the model's name, such as vision/resnet-50";
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_MODEL_NAME_BYTES) {
    return `has ${sizeBytes} bytes; a model's name has at most ${MAX_MODEL_NAME_BYTES}`;
  }
  if (grammar.test(text)) return undefined;
  if (/[A-Z]/.test(text)) return `${quote(text)} has upper-case letters; a model's name is in lower case`;
  return (
    `${quote(text)} is not a model's name; use lower-case letters and digits, joined by ".", "_", "__" or ` +
    `dashes, in components separated by "/", such as vision/resnet-50`
  );
}
