// What the service measures. Names and units are OpenTelemetry's semantic conventions where these have one; docs/operations.md
// says at which value to act.

import type { Counter, Meter } from "@opentelemetry/api";
import type { CallDurations } from "./call-durations.ts";
import {
  DB_CONNECTION_COUNT,
  DB_CONNECTION_MAX,
  DB_CONNECTION_PENDING_REQUESTS,
  DB_CONNECTION_POOL_NAME,
  DB_CONNECTION_STATE,
  ERROR_TYPE,
  RPC_METHOD,
} from "./conventions.ts";

/** A call that is over. */
export interface EndedCall {
  /** `package.Service/Method`. */
  readonly method: string;
  /** The name of the status code, such as OK or NOT_FOUND. */
  readonly status: string;
  readonly durationMs: number;
}

/** How a pool of connections is used at this moment. */
export interface PoolUse {
  readonly name: string;
  readonly idle: number;
  readonly used: number;
  readonly pending: number;
  readonly max: number;
}

/** What is read when somebody asks for the metrics. */
export interface Readings {
  /** Calls in flight, by kind. */
  readonly activeCalls: () => Readonly<Record<string, number>>;
  readonly pools: () => readonly PoolUse[];
  /** Whether each database answers, by the pool's name. */
  readonly reachable: () => Readonly<Record<string, boolean>>;
}

/** The instruments of one meter, and the durations of calls. */
export class Instruments {
  readonly #meter: Meter;
  readonly #durations: CallDurations;
  readonly #rows: Counter;
  readonly #bytes: Counter;
  readonly #registrations: Counter;
  readonly #databaseErrors: Counter;

  constructor(meter: Meter, durations: CallDurations) {
    this.#meter = meter;
    this.#durations = durations;
    this.#rows = meter.createCounter("stele.listing.entries", { description: "Versions and models streamed." });
    this.#bytes = meter.createCounter("stele.listing.size", { description: "Bytes of streamed messages.", unit: "By" });
    this.#registrations = meter.createCounter("stele.registrations", {
      description: "Registrations, by what came of them: stored, repeated, validated, or the reason of the refusal.",
    });
    this.#databaseErrors = meter.createCounter("stele.database.errors", {
      description: "Failures of the database, by SQLSTATE or the driver's code.",
    });
  }

  /** A call is over. */
  callEnded({ method, status, durationMs }: EndedCall): void {
    this.#durations.record(method, status, durationMs / 1000);
  }

  /** A message of a listing was made. */
  listed(method: string, entries: number, sizeBytes: number): void {
    this.#rows.add(entries, { [RPC_METHOD]: method });
    this.#bytes.add(sizeBytes, { [RPC_METHOD]: method });
  }

  /** A registration was decided. */
  registered(outcome: string): void {
    this.#registrations.add(1, { outcome });
  }

  /** The database failed. */
  databaseFailed(pool: string, code: string): void {
    this.#databaseErrors.add(1, { [DB_CONNECTION_POOL_NAME]: pool, [ERROR_TYPE]: code });
  }

  /** Reads these whenever somebody asks. */
  observe({ activeCalls, pools, reachable }: Readings): void {
    const gauge = (name: string, description: string) => this.#meter.createObservableGauge(name, { description });
    gauge("stele.calls.active", "Calls in flight, by kind.").addCallback((result) => {
      for (const [kind, count] of Object.entries(activeCalls())) result.observe(count, { kind });
    });
    gauge("stele.database.reachable", "1 while the database answers.").addCallback((result) => {
      for (const [pool, isReachable] of Object.entries(reachable()))
        result.observe(Number(isReachable), { [DB_CONNECTION_POOL_NAME]: pool });
    });
    this.#observePools(pools);
    this.#observeProcess();
  }

  #observePools(pools: Readings["pools"]): void {
    const meter = this.#meter;
    const count = meter.createObservableUpDownCounter(DB_CONNECTION_COUNT, { description: "Connections, by state." });
    const pending = meter.createObservableUpDownCounter(DB_CONNECTION_PENDING_REQUESTS, {
      description: "Statements that wait for a connection.",
    });
    const max = meter.createObservableUpDownCounter(DB_CONNECTION_MAX, { description: "Connections at the most." });
    const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
      for (const pool of pools()) {
        const name = { [DB_CONNECTION_POOL_NAME]: pool.name };
        result.observe(count, pool.idle, { ...name, [DB_CONNECTION_STATE]: "idle" });
        result.observe(count, pool.used, { ...name, [DB_CONNECTION_STATE]: "used" });
        result.observe(pending, pool.pending, name);
        result.observe(max, pool.max, name);
      }
    };
    meter.addBatchObservableCallback(observe, [count, pending, max]);
  }

  #observeProcess(): void {
    const meter = this.#meter;
    const memory = meter.createObservableUpDownCounter("process.memory.usage", {
      description: "Resident memory.",
      unit: "By",
    });
    memory.addCallback((result) => result.observe(process.memoryUsage.rss()));
    const time = meter.createObservableCounter("process.cpu.time", { description: "Processor time.", unit: "s" });
    time.addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1e6, { "cpu.mode": "user" });
      result.observe(system / 1e6, { "cpu.mode": "system" });
    });
  }
}
