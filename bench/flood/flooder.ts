// The program that floods. It does everything by timers and shares no work with the program of normal traffic.

import { answerCommands, readOrder } from "../child-program.ts";
import { Connection } from "./connection.ts";
import { type KindName, type KindNumbers, kindNames, kinds } from "./kinds.ts";

/** What the program is told when it starts. */
export interface FloodOrder {
  readonly host: string;
  readonly port: number;
  readonly numbers: KindNumbers;
}

/** What became of the connections of a kind; all but `open` since the program began. */
export interface KindCounts {
  readonly open: number;
  readonly opened: number;
  /** Closed by the server without a word; to a connection that it takes it sends its settings at once. */
  readonly turnedAway: number;
  /** Closed by the server after it had taken them. */
  readonly closed: number;
  readonly callsEnded: number;
}

/** The commands of the program. */
export interface FloodAnswers extends Record<string, unknown> {
  /** Opens all connections. */
  readonly start: undefined;
  /** Closes all of them. */
  readonly stop: undefined;
  readonly count: Readonly<Record<KindName, KindCounts>>;
}

const TICK_MS = 50;
/** 1200 a second to begin with, so that not even the queue of the listening socket overflows. */
const FIRST_OPENINGS_PER_TICK = 60;
/** 100 a second, of what the server closed. */
const LATER_OPENINGS_PER_TICK = 5;

/** A connection that is to be: its kind, and which of them it is. */
interface Place {
  readonly name: KindName;
  readonly index: number;
}

type Counters = { -readonly [Name in keyof KindCounts]: number };

class Flood {
  readonly #order = readOrder<FloodOrder>();
  readonly #open = new Map<Connection, Place>();
  readonly #counters = new Map<KindName, Counters>(kindNames.map((name) => [name, newCounters()]));
  #waiting: Place[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when each place has had its first connection, whatever became of it. */
  async start(): Promise<undefined> {
    this.#waiting = makePlaces(this.#order.numbers);
    let unopened = this.#waiting.length;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#timer = setInterval(() => {
      if (unopened > 0) {
        this.#openNext(Math.min(unopened, FIRST_OPENINGS_PER_TICK));
        unopened -= FIRST_OPENINGS_PER_TICK;
        return;
      }
      resolve(undefined);
      this.#openNext(LATER_OPENINGS_PER_TICK);
      this.#renewVanishing();
    }, TICK_MS);
    return await promise;
  }

  async stop(): Promise<undefined> {
    clearInterval(this.#timer);
    const connections = [...this.#open.keys()];
    this.#open.clear();
    this.#waiting = [];
    await Promise.all(connections.map((connection) => connection.close()));
    return undefined;
  }

  count(): FloodAnswers["count"] {
    for (const counters of this.#counters.values()) counters.open = 0;
    for (const { name } of this.#open.values()) this.#countersOf(name).open += 1;
    return Object.fromEntries(this.#counters) as FloodAnswers["count"]; // It has all the names.
  }

  #openNext(most: number): void {
    for (const place of this.#waiting.splice(0, most)) this.#openOne(place);
  }

  #openOne(place: Place): void {
    const { name, index } = place;
    const counters = this.#countersOf(name);
    const connection = new Connection(this.#order, {
      callEnded: () => {
        counters.callsEnded += 1;
        if (connection.hasOnlyEndedCalls) this.#giveUp(connection);
      },
      lost: ({ isUnheard }) => {
        counters[isUnheard ? "turnedAway" : "closed"] += 1;
        this.#queueAgain(connection);
      },
    });
    counters.opened += 1;
    this.#open.set(connection, place);
    kinds[name].begin(connection, index);
  }

  #giveUp(connection: Connection): void {
    void connection.close();
    this.#queueAgain(connection);
  }

  #queueAgain(connection: Connection): void {
    const place = this.#open.get(connection);
    if (this.#open.delete(connection) && place !== undefined) this.#waiting.push(place);
  }

  /** The oldest of them goes, once a tick. */
  #renewVanishing(): void {
    const oldest = this.#open.entries().find(([, { name }]) => name === "vanishing");
    if (oldest === undefined) return;
    const [connection, place] = oldest;
    connection.reset();
    this.#open.delete(connection);
    this.#openOne(place);
  }

  #countersOf(name: KindName): Counters {
    const counters = this.#counters.get(name);
    if (counters === undefined) throw new Error(`there is no kind ${name}`);
    return counters;
  }
}

function newCounters(): Counters {
  return { open: 0, opened: 0, turnedAway: 0, closed: 0, callsEnded: 0 };
}

/** All places, the kinds mixed evenly, so that a server that refuses some refuses some of each. */
function makePlaces(numbers: KindNumbers): Place[] {
  const placed = kindNames.flatMap((name) =>
    Array.from({ length: numbers[name] }, (_, index) => ({ name, index, at: (index + 0.5) / numbers[name] })),
  );
  return placed.toSorted((one, other) => one.at - other.at);
}

const flood = new Flood();
answerCommands<FloodAnswers>({
  start: async () => await flood.start(),
  stop: async () => await flood.stop(),
  count: () => flood.count(),
});
