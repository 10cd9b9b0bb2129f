import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { requestTimeout, shuttingDown, tooManyCalls } from "../domain/call-errors.ts";
import { CallTracker, Place } from "./call-tracker.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

const others = { health: 0, reflection: 0 };

/** A place that is in the list once it had to yield. */
function placeOf(kind: "calls" | "listings", yielded: Place[] = []): Place {
  const place: Place = new Place(kind, () => void yielded.push(place));
  return place;
}

it("counts each kind apart, and takes as many again as have ended", () => {
  const calls = new CallTracker({ ...others, calls: 1, listings: 1 });
  const place = placeOf("calls");
  calls.admit(place);
  calls.admit(placeOf("listings"));
  expect(() => calls.admit(placeOf("calls"))).toThrow(tooManyCalls("calls", 1));
  expect(() => calls.admit(placeOf("listings"))).toThrow(tooManyCalls("listings", 1));
  calls.leave(place);
  expect(() => calls.admit(placeOf("calls"))).not.toThrow();
});

it("gives the place of the call whose client keeps it waiting for longest, after 5 s", () => {
  const yielded: Place[] = [];
  const calls = new CallTracker({ ...others, calls: 0, listings: 3 });
  const [first, second, busy] = [0, 1, 2].map(() => placeOf("listings", yielded)) as [Place, Place, Place];
  for (const place of [first, second, busy]) calls.admit(place);
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
  for (const place of [first, second, busy]) calls.leave(place);
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
  const other = placeOf("calls");
  calls.admit(stuck);
  stuck.beginWaiting();
  vi.advanceTimersByTime(5000);
  calls.admit(other);
  calls.drain();
  expect(() => calls.admit(placeOf("listings"))).toThrow(shuttingDown());
  let isIdle = false;
  const idle = calls.whenIdle().then(() => {
    isIdle = true;
  });
  calls.leave(other);
  await Promise.resolve();
  expect(isIdle).toBe(false);
  calls.leave(stuck);
  await idle;
});

it("ends a call whose message does not come in time, within a second more, and no other", () => {
  const ended: unknown[] = [];
  const end = (name: string) => (reason: unknown) => void ended.push([name, reason]);
  const calls = new CallTracker({ ...others, calls: 4, listings: 1 });
  const [slow, quick, patient] = ["slow", "quick", "patient"].map((name) => new Place("calls", end(name))) as Place[];
  const listing = new Place("listings", end("listing"));
  for (const place of [slow, quick, patient, listing]) if (place !== undefined) calls.admit(place);
  for (const place of [slow, quick, listing]) place?.expectMessage(30_000);
  patient?.expectMessage(Infinity);
  vi.advanceTimersByTime(29_000);
  quick?.endWaiting();
  quick?.beginWaiting();
  expect(ended).toEqual([]);
  vi.advanceTimersByTime(2_000);
  const late = requestTimeout(30);
  expect(ended).toEqual([
    ["slow", late],
    ["listing", late],
  ]);
  vi.advanceTimersByTime(60_000);
  expect(ended).toHaveLength(2);
});

it("asks for no timer once all calls are over", () => {
  const calls = new CallTracker({ ...others, calls: 1, listings: 0 });
  const place = placeOf("calls");
  calls.admit(place);
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(1);
  calls.leave(place);
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(0);
});
