import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.ts";

/** The detail that every error of the service has. */
export function stele(reason: string, metadata: Record<string, string> = {}) {
  return { desc: ErrorInfoSchema, value: { domain: "stele", reason, metadata } };
}

/** The detail that asks for another attempt after a while. */
export function retryInfo(delayMs: number) {
  const value = { retryDelay: { seconds: BigInt(Math.floor(delayMs / 1_000)), nanos: (delayMs % 1_000) * 1e6 } };
  return { desc: RetryInfoSchema, value };
}

/** The detail that lists violated fields. */
export function badRequest(...fieldViolations: readonly { readonly field: string; readonly description: string }[]) {
  return { desc: BadRequestSchema, value: { fieldViolations: [...fieldViolations] } };
}
