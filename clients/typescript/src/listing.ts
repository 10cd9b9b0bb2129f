import { Code, ConnectError } from "@connectrpc/connect";
import { LinkedAbort } from "./linked-abort.ts";
import { type Failures, type Limits, waitToRepeat } from "./retry.ts";

/** A message of a listing. */
export interface Page {
  /** Empty when the listing is complete. */
  readonly nextPageToken: string;
}

/** How a listing is called, and how long it goes without a message after a failure. */
export interface Listing<P extends Page> extends Limits {
  /** Opens the stream after this token; undefined: as the caller's request has it. */
  readonly open: (pageToken: string | undefined, signal: AbortSignal) => AsyncIterable<P>;
}

/**
 * The pages of a listing, each once: where its stream breaks, another goes on after the last page. Ending the iteration
 * ends the stream.
 *
 * @throws RegistryError
 */
export async function* listPages<P extends Page>({ open, ...limits }: Listing<P>): AsyncGenerator<P, void> {
  let pageToken: string | undefined;
  let failures = noFailures;
  for (;;) {
    using attempt = new LinkedAbort(limits.signal);
    attempt.abortAt(failures.deadline);
    try {
      let isEmpty = true;
      for await (const page of open(pageToken, attempt.signal)) {
        attempt.abortAt(noFailures.deadline);
        failures = noFailures;
        isEmpty = false;
        pageToken = page.nextPageToken;
        yield page;
        if (pageToken === "") return;
      }
      if (isEmpty) return;
      throw new ConnectError("the stream ended before the listing", Code.Unavailable);
    } catch (error) {
      failures = oneMore(failures, limits.timeoutMs);
      await waitToRepeat(error, failures, limits);
      failures = { ...failures, before: error };
    }
  }
}

const noFailures: Failures = { count: 0, deadline: Number.POSITIVE_INFINITY };

/** The deadline is set with the first failure. */
function oneMore({ count, deadline, before }: Failures, timeoutMs: number): Failures {
  return { count: count + 1, deadline: count === 0 ? performance.now() + timeoutMs : deadline, before };
}
