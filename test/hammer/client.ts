// A process of clients. It gets its order as JSON in the first argument, writes every call as a line of JSON, and
// ends by itself.

import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, isUnknown } from "./history.ts";
import { type PlannedCall, planIncrements, planMix, type Step } from "./plan.ts";
import { RegistrationCaller } from "./registration-caller.ts";

/** What a client process is to do. */
export interface ClientOrder {
  readonly seed: number;
  /** A word that no other process has. */
  readonly name: string;
  readonly workers: number;
  readonly addresses: readonly string[];
  readonly work:
    | { readonly kind: "mix"; readonly seconds: number }
    | { readonly kind: "increments"; readonly steps: number };
  /** Where the calls are written. */
  readonly file: string;
}

const plans = { mix: planMix, increments: planIncrements };
const MAX_REPETITIONS = 40;
const PAUSE_MS = 50;

async function main(order: ClientOrder): Promise<void> {
  using stack = new DisposableStack();
  const callers = order.addresses.map((address) => stack.use(new RegistrationCaller(address)));
  const log = createWriteStream(order.file);
  const names = Array.from({ length: order.workers }, (_, index) => `${order.name}${index}`);
  await Promise.all(
    names.map((name) =>
      work(
        order,
        name,
        makeSender(name, callers, (call) => log.write(toLine(call))),
      ),
    ),
  );
  log.end();
  await finished(log);
}

function toLine(call: Call): string {
  return `${JSON.stringify(call)}\n`;
}

type Send = (planned: PlannedCall) => Promise<Call>;

async function work({ seed, work: { kind, ...bounds } }: ClientOrder, name: string, send: Send): Promise<void> {
  const end = performance.now() + ("seconds" in bounds ? bounds.seconds * 1000 : Number.POSITIVE_INFINITY);
  const steps = "steps" in bounds ? bounds.steps : Number.POSITIVE_INFINITY;
  for (let step = 0; step < steps && performance.now() < end; step += 1) {
    await perform(plans[kind]({ seed, name }, step), send);
  }
}

async function perform({ waves, untilKnown }: Step, send: Send): Promise<void> {
  for (const wave of waves) await Promise.all(wave.map(send));
  if (untilKnown === undefined) return;
  const { request, replica } = untilKnown;
  for (let repetition = 0; repetition < MAX_REPETITIONS; repetition += 1) {
    if (!isUnknown(await send({ request, replica: replica + repetition }))) return;
  }
}

/** Sends calls and logs them; a replica that is away is not asked again at once. */
function makeSender(name: string, callers: readonly RegistrationCaller[], log: (call: Call) => void): Send {
  let count = 0;
  return async ({ request, replica }) => {
    const place = replica % callers.length;
    const caller = callers[place];
    if (caller === undefined) throw new Error("there is no replica");
    const id = `${name}#${count}`;
    count += 1;
    const startedAt = now();
    const outcome = await caller.call(request);
    const call = { ...request, id, replica: place, startedAt, endedAt: now(), outcome };
    log(call);
    if (outcome.kind === "error" && outcome.code === "UNAVAILABLE") await sleep(PAUSE_MS);
    return call;
  };
}

/** Milliseconds of a clock that all processes of the machine share. */
function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

// The one who starts this process writes its order.
await main(JSON.parse(process.argv[2] ?? "") as ClientOrder);
