import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster.ts";
import { Random } from "./random.ts";

/**
 * kill -9 of replicas and of Postgres, and cuts of connections around a commit, again and again, until the signal.
 * Postgres is left alone for more than 10 s after each kill, because its supervisor waits longer and longer for one that
 * never lives so long.
 */
export async function killAround(cluster: Cluster, seed: number, signal: AbortSignal): Promise<void> {
  const killReplica = async (random: Random) => await cluster.killReplica(random);
  const killPostgres = async () => cluster.killPostgres();
  const cut = async (random: Random) =>
    cluster.cutConnection(random.percent(70) ? "after the answer" : "before the request");
  await Promise.all([
    repeat(killReplica, {
      random: new Random(seed, "replicas"),
      firstMs: 1_500,
      pauseMs: 1_500,
      jitterMs: 1_000,
      signal,
    }),
    repeat(killPostgres, {
      random: new Random(seed, "postgres"),
      firstMs: 3_500,
      pauseMs: 11_000,
      jitterMs: 1_000,
      signal,
    }),
    repeat(cut, { random: new Random(seed, "cuts"), firstMs: 500, pauseMs: 300, jitterMs: 300, signal }),
  ]);
}

interface Rhythm {
  readonly random: Random;
  readonly firstMs: number;
  readonly pauseMs: number;
  readonly jitterMs: number;
  readonly signal: AbortSignal;
}

async function repeat(kill: (random: Random) => Promise<void>, rhythm: Rhythm): Promise<void> {
  const { random, firstMs, pauseMs, jitterMs, signal } = rhythm;
  for (let waitMs = firstMs; ; waitMs = pauseMs) {
    await sleep(waitMs + random.below(jitterMs), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await kill(random);
  }
}
