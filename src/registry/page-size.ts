import type { Violations } from "../domain/violations.ts";

const DEFAULT_PAGE_SIZE = 500;
const MAX_PAGE_SIZE = 1000;

/** The most entries of one message, or a default after adding what is wrong with `page_size` (AIP-158). */
export function parsePageSize(pageSize: number, violations: Violations): number {
  if (pageSize < 0) {
    violations.addInvalid("page_size", `${pageSize} is negative; use 0 for the default, or a positive number`);
  }
  return pageSize > 0 ? Math.min(pageSize, MAX_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
}

/** The most entries of a whole listing, Infinity where there is no limit; adds what is wrong with `limit`. */
export function parseLimit(limit: number, violations: Violations): number {
  if (limit < 0) violations.addInvalid("limit", `${limit} is negative; use 0 for no bound, or a positive number`);
  return limit > 0 ? limit : Number.POSITIVE_INFINITY;
}
