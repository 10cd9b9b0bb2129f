/** Resolves when the work has ended, one way or the other, or after the time. */
export async function endOf(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  work.then(ignore, ignore).then(resolve);
  await promise;
  clearTimeout(timer);
}

function ignore(): void {}
