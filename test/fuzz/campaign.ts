import type { ServiceProcess } from "../support/service-process.ts";
import { repeat } from "./choice.ts";
import { callAsConnection } from "./connections.ts";
import { HttpCaller } from "./http-caller.ts";
import { describeInput, type Input } from "./input.ts";
import { createInput, type Source } from "./inputs.ts";
import { findFault, nameOf, type Outcome } from "./outcome.ts";
import { Probe } from "./probe.ts";
import { sendConnection } from "./raw-connections.ts";
import { ServiceWatch } from "./service-watch.ts";

const WORKERS = 48;
const PROBE_EVERY = 5000;
const WATCH_MS = 250;
/** What brings a process down may have been sent a while before. */
const LOOK_BACK = 1000;
const MAX_FAULTS = 20;
const ALIKE = 50;

/** Until which number, and until when (of performance.now()), inputs are sent. */
export interface Bounds {
  readonly number: number;
  readonly endsAt: number;
}

/** What must not be, and how often it was seen. */
export interface Fault {
  readonly what: string;
  /** How to see it again. */
  readonly how: string;
  times: number;
}

/** Sends inputs in the order of their numbers, many at once, and looks at everything that must hold. */
export class Campaign implements Disposable {
  /** What is wrong, with the first inputs that may have done it. */
  readonly faults: Fault[] = [];
  /** How many inputs there were of each kind and outcome. */
  readonly counts = new Map<string, number>();
  readonly #source: Source;
  readonly #address: string;
  readonly #watch: ServiceWatch;
  readonly #probe: Probe;
  readonly #callers: Readonly<Record<"messages" | "headers", readonly HttpCaller[]>>;
  readonly #inFlight = new Map<number, Input>();
  readonly #first: number;
  #next: number;
  #isOver = false;

  /** Begins with the input of this number. */
  constructor(service: ServiceProcess, source: Source, first: number) {
    const { address } = service;
    this.#source = source;
    this.#address = address;
    this.#watch = new ServiceWatch(service);
    this.#probe = new Probe(address);
    // What a header block does to its connection must not take many others along, and no messages.
    const callers = (count: number) => repeat(count, () => new HttpCaller(address));
    this.#callers = { messages: callers(2), headers: callers(8) };
    this.#first = first;
    this.#next = first;
  }

  /** The number of the next input. */
  get next(): number {
    return this.#next;
  }

  /** How many of the connections for calls the server has torn down. */
  get tornDown(): number {
    return this.#allCallers().reduce((sum, caller) => sum + caller.tornDown, 0);
  }

  /** Sends until the first of the bounds, or until there are too many faults, and probes at the end. */
  async send(bounds: Bounds): Promise<void> {
    const watching = setInterval(() => this.#look(), WATCH_MS);
    try {
      await Promise.all(Array.from({ length: WORKERS }, () => this.#work(bounds)));
    } finally {
      clearInterval(watching);
    }
    await this.#check();
  }

  /** The resident memory of the service, in MiB; not a number when it is gone. */
  async measureResident(): Promise<number> {
    return this.#isOver ? Number.NaN : await this.#watch.measureResident();
  }

  [Symbol.dispose](): void {
    this.#probe[Symbol.dispose]();
    for (const caller of this.#allCallers()) caller[Symbol.dispose]();
  }

  #allCallers(): HttpCaller[] {
    return Object.values(this.#callers).flat();
  }

  async #work({ number, endsAt }: Bounds): Promise<void> {
    while (this.#next < number && performance.now() < endsAt && !this.#isOver) {
      const current = this.#next;
      this.#next += 1;
      await this.#sendOne(current);
      if (current % PROBE_EVERY === 0) await this.#check();
    }
  }

  async #sendOne(number: number): Promise<void> {
    const input = createInput(this.#source, number);
    this.#inFlight.set(number, input);
    const outcome = await this.#outcomeOf(input, number);
    if (outcome.kind === "unreachable") this.#look();
    for (const name of [input.kind, `${input.kind}: ${nameOf(outcome)}`]) {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    }
    const fault = findFault(mannersOf(input), outcome);
    if (fault !== undefined) this.#addOf(number, { input, outcome, fault });
    this.#inFlight.delete(number);
  }

  #addOf(number: number, { input, outcome, fault }: { input: Input; outcome: Outcome; fault: string }): void {
    // What breaks a connection is told to all calls on it.
    const isShared = outcome.kind === "broken" || outcome.kind === "torn down";
    this.#add(fault, () =>
      isShared ? this.#repeatInFlight() : `${this.#repeat(number, number)}\n${describeInput(input)}`,
    );
  }

  async #outcomeOf(input: Input, number: number): Promise<Outcome> {
    if (input.kind === "connections") return await sendConnection(this.#address, input.connection);
    const callers = this.#callers[mannersOf(input)];
    try {
      return await (callers[number % callers.length] as HttpCaller).send(input.call); // The index is within the bounds.
    } catch {
      // Node refuses to send such headers.
      return await sendConnection(this.#address, callAsConnection(input.call));
    }
  }

  async #check(): Promise<void> {
    if (this.#isOver) return;
    const fault = await this.#probe.findFault();
    if (fault !== undefined) this.#add(fault, () => this.#repeatInFlight());
    this.#look();
  }

  #look(): void {
    if (this.#isOver) return;
    const fault = this.#watch.findFault();
    if (fault === undefined) return;
    this.#add(fault, () => this.#repeatInFlight());
    if (!this.#watch.isAlive()) this.#isOver = true;
  }

  #repeatInFlight(): string {
    const oldest = Math.min(this.#next, ...this.#inFlight.keys());
    const inputs = [...this.#inFlight].map(([number, input]) => `input ${number}: ${describeInput(input)}`);
    return [this.#repeat(Math.max(this.#first, oldest - LOOK_BACK), this.#next - 1), ...inputs].join("\n");
  }

  #repeat(first: number, last: number): string {
    const { seed, kinds } = this.#source;
    return `repeat with --seed ${seed} --kinds ${[...kinds].join()} --from ${first} --calls ${last - first + 1}`;
  }

  /** Faults that begin alike are one. */
  #add(what: string, describe: () => string): void {
    const known = this.faults.find((fault) => fault.what.slice(0, ALIKE) === what.slice(0, ALIKE));
    if (known === undefined) this.faults.push({ what, how: describe(), times: 1 });
    else known.times += 1;
    if (this.faults.length >= MAX_FAULTS) this.#isOver = true;
  }
}

// Who overruns the small bounds of health and reflection again and again loses the connection, as with bad headers.
function mannersOf(input: Exclude<Input, { kind: "connections" }>): "messages" | "headers";
function mannersOf(input: Input): Input["kind"];
function mannersOf(input: Input): Input["kind"] {
  if (input.kind !== "messages") return input.kind;
  return input.call.headers.some(([name, value]) => name === ":path" && value.startsWith("/grpc."))
    ? "headers"
    : "messages";
}
