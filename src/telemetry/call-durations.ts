// In seconds, as the conventions of OpenTelemetry advise.
const BOUNDARIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** How long calls of a method that ended with a status took, in seconds. */
export interface DurationSeries {
  readonly method: string;
  readonly status: string;
  /** How many calls took no longer than each boundary, and longer than the one before; the last took longer than all. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/**
 * How long calls took, since the service began. The SDK's histograms sort and join the attributes of each value anew, which
 * costs a twelfth of what answering a call does (measured); these are joined when somebody asks for them.
 */
export class CallDurations {
  /** Of the buckets, in seconds; each belongs to the bucket below it. */
  readonly boundaries: readonly number[] = BOUNDARIES;
  readonly startedAt = new Date();
  readonly #series = new Map<string, Map<string, Recorded>>();

  /** A call of `package.Service/Method` is over, with the name of its status. */
  record(method: string, status: string, seconds: number): void {
    let byStatus = this.#series.get(method);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.#series.set(method, byStatus);
    }
    let series = byStatus.get(status);
    if (series === undefined) {
      series = { method, status, counts: new Array(BOUNDARIES.length + 1).fill(0), count: 0, sum: 0 };
      byStatus.set(status, series);
    }
    let bucket = 0;
    while (seconds > (BOUNDARIES[bucket] ?? Infinity)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.count += 1;
    series.sum += seconds;
  }

  /** What was recorded. */
  get series(): DurationSeries[] {
    return [...this.#series.values()].flatMap((byStatus) => [...byStatus.values()]);
  }
}

interface Recorded extends DurationSeries {
  readonly counts: number[];
  count: number;
  sum: number;
}
