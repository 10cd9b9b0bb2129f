// The program of normal traffic: callers in a closed loop over connections that stay, and a call over a new connection
// now and then. It goes on all the time; its parent says from when on the times count.

import { setTimeout as sleep } from "node:timers/promises";
import { answerCommands, readOrder } from "../child-program.ts";
import { versionAt } from "../rows.ts";
import { growingModel, hotModel } from "./models.ts";
import { TrafficClient } from "./traffic-client.ts";

/** What the program is told when it starts: where the service listens. */
export interface TrafficOrder {
  readonly address: string;
}

/** Milliseconds of each call that succeeded, by what it was. */
export interface CallTimes {
  readonly get: readonly number[];
  readonly list: readonly number[];
  readonly register: readonly number[];
  /** GetVersion over a connection that is opened for it. */
  readonly connect: readonly number[];
}

/** The commands of the program. */
export interface TrafficAnswers extends Record<string, unknown> {
  /** From now on times count; those from before are forgotten. */
  readonly begin: undefined;
  readonly times: CallTimes;
  /** What failed since the program began. */
  readonly failures: readonly string[];
}

const CALLERS = 8;
const LIST_EVERY = 10;
const LIST_LIMIT = 50;
const REGISTER_EVERY = 50;
const CONNECT_PERIOD_MS = 200;
/** A caller who failed does not try again at once. */
const PAUSE_MS = 100;

const { address } = readOrder<TrafficOrder>();
const failures: string[] = [];
let times = newTimes();
let registered = 0;

function newTimes(): { [Name in keyof CallTimes]: number[] } {
  return { get: [], list: [], register: [], connect: [] };
}

async function callForEver(caller: number): Promise<void> {
  using client = new TrafficClient(address);
  for (let call = caller; ; call += 1) await callOnce(client, call);
}

async function callOnce(client: TrafficClient, call: number): Promise<void> {
  if (call % REGISTER_EVERY === 0) {
    registered += 1;
    const version = `1.0.${registered}`;
    return await timed("register", async () => await client.registerVersion(growingModel, version));
  }
  if (call % LIST_EVERY === 1) {
    return await timed("list", async () => await client.listVersions(hotModel.model, LIST_LIMIT));
  }
  await timed("get", async () => await client.getVersion(hotModel.model, hotVersion(call)));
}

async function connectAndCall(): Promise<void> {
  await timed("connect", async () => {
    using client = new TrafficClient(address);
    await client.getVersion(hotModel.model, hotVersion(0));
  });
}

function hotVersion(call: number): string {
  return versionAt(hotModel, call % hotModel.versions);
}

async function timed(name: keyof CallTimes, call: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  try {
    await call();
    times[name].push(performance.now() - startedAt);
  } catch (error) {
    failures.push(`${name}: ${describe(error)}`);
    await sleep(PAUSE_MS);
  }
}

/** Without what grpc-js adds in parentheses, such as the time, so that like failures have like words. */
function describe(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/ \(.*/s, "");
}

answerCommands<TrafficAnswers>({
  begin: () => {
    times = newTimes();
    return undefined;
  },
  times: () => times,
  failures: () => failures,
});
for (let caller = 0; caller < CALLERS; caller += 1) void callForEver(caller);
setInterval(connectAndCall, CONNECT_PERIOD_MS);
