import { quote } from "./quote.ts";
import type { Violations } from "./violations.ts";

declare const brand: unique symbol;

/** A UUID (RFC 9562) in lower case by which a caller repeats a registration safely; only parseRequestId makes one. */
export type RequestId = string & { readonly [brand]: "RequestId" };

const grammar = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const nil = "00000000-0000-0000-0000-000000000000";

/** The request id in `text`, or undefined after adding what is wrong with `field`. */
export function parseRequestId(text: string, field: string, violations: Violations): RequestId | undefined {
  const id = text.toLowerCase();
  if (grammar.test(id) && id !== nil) return id as RequestId; // The one place that brands a request id.
  const advice = "send a fresh random UUID for each registration, such as 7b2f9c1e-54d0-4f4a-9d3c-0a8f6f1f2f10";
  violations.addInvalid(field, `${quote(text)} is not a UUID that can be used; ${advice}`);
  return undefined;
}
