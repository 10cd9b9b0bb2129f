import { describe, expect, test } from "vitest";
import { describeH2load, parseH2load } from "./h2load.ts";

const output = `starting benchmark...
spawning thread #0: 4 total client(s). Timing-based test with 0s of warm-up time and 1.5s of main duration for measurements.
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.50s, 11936.00 req/s, 5.57MB/s
requests: 17904 total, 17968 started, 17904 done, 17904 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 17920 2xx, 0 3xx, 0 4xx, 0 5xx
                     min         max         mean         sd        +/- sd
time for request:      535us     45.95ms      5.32ms      6.37ms    88.56%
`;

describe("parseH2load", () => {
  test("reads how many calls succeeded in which time", () => {
    expect(parseH2load(output)).toEqual({ units: 17_904, seconds: 1.5 });
  });

  test.each([
    ["500.25ms", 0.50025],
    ["20us", 0.00002],
    ["2.00m", 120],
  ])("takes a time of %s", (time, seconds) => {
    expect(parseH2load(output.replace("1.50s", time)).seconds).toBeCloseTo(seconds, 10);
  });

  test("throws with the output when a call failed", () => {
    const failed = output.replace("17904 succeeded, 0 failed", "17900 succeeded, 4 failed");
    expect(() => parseH2load(failed)).toThrow(`17900 of 17904 calls of h2load succeeded:\n${failed}`);
  });

  test("throws with the output when that is no result", () => {
    expect(() => parseH2load("-D: value error 1.5\n")).toThrow(
      "h2load wrote what is no result:\n-D: value error 1.5\n",
    );
  });
});

test("describes the connections and the calls on each", () => {
  expect(describeH2load({ connections: 4, streams: 16 })).toBe("h2load -c 4 -m 16");
});
