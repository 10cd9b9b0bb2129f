import type { Violations } from "../domain/violations.ts";

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 1000;

/** The most entries of one message, or a default after adding what is wrong with `page_size` (AIP-158). */
export function parsePageSize(pageSize: number, violations: Violations): number {
  return Math.min(parseCount(pageSize, "page_size", violations) || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
}

/** The most entries of a whole listing, Infinity where there is no limit; adds what is wrong with `limit`. */
export function parseLimit(limit: number, violations: Violations): number {
  return parseCount(limit, "limit", violations) || Number.POSITIVE_INFINITY;
}

function parseCount(value: number, field: string, violations: Violations): number {
  if (value >= 0) return value;
  violations.addInvalid(field, `${value} is negative; use 0 for the default, or a positive number`);
  return 0;
}
