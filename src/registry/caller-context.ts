import type { Caller } from "../domain/caller.ts";

/** For whom an operation works. */
export interface CallerContext {
  readonly caller: Caller;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
}
