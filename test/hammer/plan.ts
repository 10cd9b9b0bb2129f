// What the clients ask for. A step is a function of the seed, the worker and its number alone, so that a seed repeats
// it; what happens in between, and so the answers, is up to the machine.

import { type IncrementNumber, incrementsOnly, type Request, type RequestedNumber } from "./history.ts";
import { Random } from "./random.ts";

/** A request and the replica that gets it, counted from any. */
export interface PlannedCall {
  readonly request: Request;
  readonly replica: number;
}

/** Calls that are sent at once, one after another. */
export interface Step {
  readonly waves: readonly (readonly PlannedCall[])[];
  /** Repeated, after the waves, until the answer is known. */
  readonly untilKnown?: PlannedCall;
}

/** Which worker plans, and what its calls are named after. */
export interface Worker {
  readonly seed: number;
  readonly name: string;
}

interface Planner {
  readonly random: Random;
  readonly step: number;
  /** Text that no other step has. */
  readonly own: string;
}

const kinds = {
  collision: { weight: 25, plan: planCollision },
  own: { weight: 15, plan: planOwn },
  increment: { weight: 30, plan: planIncrement },
  mixed: { weight: 6, plan: planMixed },
  repeat: { weight: 16, plan: planRepeat },
  reuse: { weight: 5, plan: planReuse },
  validate: { weight: 3, plan: planValidation },
} as const;

const weights = Object.fromEntries(Object.entries(kinds).map(([kind, { weight }]) => [kind, weight]));

/** A step of the mix of everything. */
export function planMix({ seed, name }: Worker, step: number): Step {
  const random = new Random(seed, name, step);
  const kind = random.weighted(weights) as keyof typeof kinds; // Object.fromEntries widens the keys.
  return kinds[kind].plan({ random, step, own: `${name}/${step}` });
}

/** A step of nothing but one increment, of one model that all share. */
export function planIncrements({ name }: Worker, step: number): Step {
  const number = { kind: "increment", level: "PATCH" } as const;
  const content = `${name}/${step}`;
  return once({ kind: "increment", model: incrementsOnly, number, content }, step);
}

/** The same versions from all workers at about the same time, with few contents and build metadata. */
function planCollision({ random, step }: Planner): Step {
  const suffix = random.weighted({ "": 65, "+build.1": 10, "+build.2": 10, "-rc.1": 10, "-rc.1+build.3": 5 });
  const version = `1.${Math.floor(step / 8)}.${random.below(24)}${suffix}`;
  const request = { kind: "collision", model: "shared", number: explicit(version), content: `v${random.below(2)}` };
  return once(interrupted(request, random), random.below(100));
}

/** A version that nobody else asks for: never refused, not even by a lost attempt of its own. */
function planOwn({ random, own }: Planner): Step {
  const version = `1.0.0-${own.replaceAll("/", ".")}`;
  const request = { kind: "own", model: "own", number: explicit(version), content: own };
  return once(interrupted(request, random), random.below(100));
}

function planIncrement({ random, own }: Planner): Step {
  const request = { kind: "increment", model: incrementModel(random), number: increment(random), content: own };
  return once(interrupted(request, random), random.below(100));
}

/** Explicit versions and increments that take each other's numbers. */
function planMixed({ random, step, own }: Planner): Step {
  const patch = { kind: "increment", level: "PATCH" } as const;
  const number = random.percent(50) ? patch : explicit(`0.0.${step + random.below(20)}`);
  return once(interrupted({ kind: "mixed", model: "mixed", number, content: own }, random), random.below(100));
}

/** The same request_id and content at two replicas at once, then again until the answer is known. */
function planRepeat({ random, own }: Planner): Step {
  const request = repeatable("repeat", random, own);
  const replica = random.below(100);
  return {
    waves: [[at(replica, interrupted(request, random)), at(replica + 1, request)]],
    untilKnown: at(random.below(100), request),
  };
}

/** The same request_id for two contents, at two replicas at once. */
function planReuse({ random, own }: Planner): Step {
  const request = repeatable("reuse", random, own);
  const other = { ...request, content: `${own}/other` };
  const replica = random.below(100);
  return {
    waves: [[at(replica, request), at(replica + 1, other)], [at(replica + 1, request)]],
    untilKnown: at(replica, other),
  };
}

function planValidation({ random, own }: Planner): Step {
  const request = random.percent(50)
    ? { model: "own", number: explicit(`2.0.0-${own.replaceAll("/", ".")}`) }
    : { model: incrementModel(random), number: increment(random) };
  return once({ ...request, kind: "validate", content: own, validateOnly: true }, random.below(100));
}

function repeatable(kind: string, random: Random, own: string): Request {
  const requestId = random.uuid();
  if (random.percent(60)) {
    return { kind, model: incrementModel(random), number: increment(random), content: own, requestId };
  }
  const number = explicit(`1.0.0-${own.replaceAll("/", ".")}`);
  return { kind, model: "own", number, content: own, requestId };
}

function incrementModel(random: Random): string {
  return `${incrementsOnly}-${random.below(3)}`;
}

function increment(random: Random): IncrementNumber {
  const level = random.weighted({ PATCH: 80, MINOR: 16, MAJOR: 4 });
  const prerelease = random.percent(20) ? { prerelease: random.weighted({ rc: 50, beta: 30, "nightly.gpu": 20 }) } : {};
  // A major can be raised nowhere within one.
  const within = level !== "MAJOR" && random.percent(20) ? { within: `${random.below(4)}.x` } : {};
  return { kind: "increment", level, ...within, ...prerelease };
}

function explicit(version: string): RequestedNumber {
  return { kind: "explicit", version };
}

function interrupted(request: Request, random: Random): Request {
  const interruption = random.weighted({ none: 80, cancel: 10, deadline: 10 });
  if (interruption === "cancel") return { ...request, cancelAfterMs: random.below(15) };
  if (interruption === "deadline") return { ...request, deadlineMs: 2 + random.below(25) };
  return request;
}

function once(request: Request, replica: number): Step {
  return { waves: [[at(replica, request)]] };
}

function at(replica: number, request: Request): PlannedCall {
  return { request, replica };
}
