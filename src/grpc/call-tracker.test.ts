import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { shuttingDown, tooManyCalls } from "../domain/call-errors.ts";
import { CallTracker, Place } from "./call-tracker.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const others = { health: 0, reflection: 0 };

/** A place that is in the list once it had to yield. */
function placeOf(kind: "calls" | "listings", yielded: Place[] = []): Place {
  const place: Place = new Place(kind, () => void yielded.push(place));
  return place;
}

it("counts each kind apart, and takes as many again as have ended", () => {
  const calls = new CallTracker({ ...others, calls: 1, listings: 1 });
  const giveUp = calls.admit(placeOf("calls"));
  calls.admit(placeOf("listings"));
  expect(() => calls.admit(placeOf("calls"))).toThrow(tooManyCalls("calls", 1));
  expect(() => calls.admit(placeOf("listings"))).toThrow(tooManyCalls("listings", 1));
  giveUp();
  expect(() => calls.admit(placeOf("calls"))).not.toThrow();
});

it("gives the place of the call whose client keeps it waiting for longest, after 5 s", () => {
  const yielded: Place[] = [];
  const calls = new CallTracker({ ...others, calls: 0, listings: 3 });
  const [first, second, busy] = [0, 1, 2].map(() => placeOf("listings", yielded)) as [Place, Place, Place];
  const ends = [first, second, busy].map((place) => calls.admit(place));
  second.beginWaiting();
  vi.advanceTimersByTime(1000);
  first.beginWaiting();
  vi.advanceTimersByTime(3999);
  expect(() => calls.admit(placeOf("listings"))).toThrow(tooManyCalls("listings", 3));
  vi.advanceTimersByTime(1);
  calls.admit(placeOf("listings"));
  expect(yielded).toEqual([second]);
  expect(() => calls.admit(placeOf("listings"))).toThrow(tooManyCalls("listings", 3));
  vi.advanceTimersByTime(1000);
  calls.admit(placeOf("listings"));
  expect(yielded).toEqual([second, first]);
  for (const end of ends) end();
  calls.admit(placeOf("listings"));
  expect(() => calls.admit(placeOf("listings"))).toThrow(tooManyCalls("listings", 3));
});

it("lets a call keep its place once its client has done its part", () => {
  const calls = new CallTracker({ ...others, calls: 1, listings: 0 });
  const place = placeOf("calls");
  calls.admit(place);
  place.beginWaiting();
  vi.advanceTimersByTime(60_000);
  place.endWaiting();
  expect(() => calls.admit(placeOf("calls"))).toThrow(tooManyCalls("calls", 1));
});

it("takes nothing more during a drain, and is idle when the last has ended, yielded ones included", async () => {
  const calls = new CallTracker({ ...others, calls: 1, listings: 1 });
  const stuck = placeOf("calls");
  const ends = [calls.admit(stuck)];
  stuck.beginWaiting();
  vi.advanceTimersByTime(5000);
  ends.push(calls.admit(placeOf("calls")));
  calls.drain();
  expect(() => calls.admit(placeOf("listings"))).toThrow(shuttingDown());
  let isIdle = false;
  const idle = calls.whenIdle().then(() => {
    isIdle = true;
  });
  ends[1]?.();
  await Promise.resolve();
  expect(isIdle).toBe(false);
  ends[0]?.();
  await idle;
});
