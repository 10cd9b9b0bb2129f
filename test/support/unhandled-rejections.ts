import { afterAll, beforeAll, expect } from "vitest";

/** Fails the test file when a promise of its run is rejected and nobody handles that. */
export function expectNoUnhandledRejection(): void {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  beforeAll(() => void process.on("unhandledRejection", listener));
  afterAll(async () => {
    // Node reports them after the microtasks of a turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  });
}
