import { setImmediate as endOfTurn } from "node:timers/promises";
import { requestTimeout, shuttingDown, tooManyCalls } from "../domain/call-errors.ts";
import type { RegistryError } from "../domain/errors.ts";
import type { CallContext } from "./call-context.ts";

/** What is counted apart: calls with one answer; listings, which last as long as their readers want; what strangers may. */
export type CallKind = "calls" | "listings" | "health" | "reflection";

/** How many of each kind may be in flight. */
export type CallLimits = Readonly<Record<CallKind, number>>;

/** How late a message that does not come in time may be noticed. */
const CHECK_INTERVAL_MS = 1_000;

/** A call has its place for so long, however long its client keeps it waiting. */
const MIN_PATIENCE_MS = 5_000;

/** The place of one call among those in flight. */
export class Place {
  readonly kind: CallKind;
  /** Takes the place away: ends the call. */
  readonly takeAway: (reason: RegistryError) => void;
  #waitingSince = Infinity;
  #messagePatienceMs = Infinity;

  constructor(kind: CallKind, takeAway: (reason: RegistryError) => void) {
    this.kind = kind;
    this.takeAway = takeAway;
  }

  /** Since when the call does nothing but wait for its client to send or to read; Infinity when it does not. */
  get waitingSince(): number {
    return this.#waitingSince;
  }

  /** The call waits for its client to send its message, but no longer than this. */
  expectMessage(patienceMs: number): void {
    this.#messagePatienceMs = patienceMs;
    this.beginWaiting();
  }

  /** Ends the call when its message has not come in time. */
  checkMessage(now: number): void {
    if (now - this.#waitingSince < this.#messagePatienceMs) return;
    this.takeAway(requestTimeout(this.#messagePatienceMs / 1000));
    this.endWaiting();
  }

  /** The call waits for its client from now on. */
  beginWaiting(): void {
    this.#waitingSince = performance.now();
  }

  /** The client has done its part. */
  endWaiting(): void {
    this.#waitingSince = Infinity;
    this.#messagePatienceMs = Infinity;
  }
}

/**
 * The calls of a server: no more than it can bear, and until it shuts down gracefully, when unary ones finish and streams
 * are told to end. Where there is no place, a call takes that of the one whose client has kept it waiting for longest.
 */
export class CallTracker {
  readonly #limits: CallLimits;
  readonly #places = {
    calls: new Set<Place>(),
    listings: new Set<Place>(),
    health: new Set<Place>(),
    reflection: new Set<Place>(),
  };
  readonly #streams = new Set<CallContext>();
  readonly #idle = Promise.withResolvers<void>();
  #checks: NodeJS.Timeout | undefined;
  #openCalls = 0;
  #draining = false;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** How many calls of each kind are in flight. */
  get inFlight(): CallLimits {
    const { calls, listings, health, reflection } = this.#places;
    return { calls: calls.size, listings: listings.size, health: health.size, reflection: reflection.size };
  }

  /**
   * Refuses every new call, and ends each open stream after the message under way: UNAVAILABLE with the
   * reason SHUTTING_DOWN, so that its client resumes elsewhere with the token that it already has.
   */
  drain(): void {
    this.#draining = true;
    for (const stream of this.#streams) stream.abort(shuttingDown());
    this.#settle();
  }

  /** Resolves once a drain has begun and every call is over; then nothing is lost by cutting the connections. */
  async whenIdle(): Promise<void> {
    await this.#idle.promise;
    // Node writes a call's last frames at the end of the turn in which grpc-js says that it is over.
    await endOfTurn();
  }

  /**
   * Gives a call its place until it leaves; for the gate.
   *
   * @throws RegistryError SHUTTING_DOWN during a drain, TOO_MANY_CALLS when there is no place.
   */
  admit(place: Place): void {
    if (this.#draining) throw shuttingDown();
    const places = this.#places[place.kind];
    const limit = this.#limits[place.kind];
    if (places.size >= limit) clearPlace(places, tooManyCalls(place.kind, limit));
    places.add(place);
    this.#openCalls += 1;
    // One timer for all: a timer for each call would cost as much as the rest of this.
    this.#checks ??= setInterval(() => this.#checkMessages(), CHECK_INTERVAL_MS).unref();
  }

  /** Takes back the place of a call that is over; for the gate. */
  leave(place: Place): void {
    this.#places[place.kind].delete(place);
    this.#openCalls -= 1;
    this.#settle();
  }

  /** Holds an open stream until it is released; for the adapter. */
  hold(stream: CallContext): void {
    this.#streams.add(stream);
    if (this.#draining) stream.abort(shuttingDown());
  }

  /** Forgets a stream that has ended; for the adapter. */
  release(stream: CallContext): void {
    this.#streams.delete(stream);
  }

  #checkMessages(): void {
    const now = performance.now();
    for (const places of Object.values(this.#places)) for (const place of places) place.checkMessage(now);
    if (this.#openCalls > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
  }

  #settle(): void {
    if (this.#draining && this.#openCalls === 0) this.#idle.resolve();
  }
}

/** Takes the place of a call whose client keeps it waiting; throws the refusal where there is none. */
function clearPlace(places: Set<Place>, refusal: RegistryError): void {
  const [longest] = [...places].sort((a, b) => a.waitingSince - b.waitingSince);
  if (longest === undefined || performance.now() - longest.waitingSince < MIN_PATIENCE_MS) throw refusal;
  places.delete(longest);
  longest.takeAway(refusal);
}
