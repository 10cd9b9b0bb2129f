// How calls take to models of a thousand versions, ten times as many, and on; the ratios are to the smallest.

import { type Arena, encodeListVersions } from "./arena.ts";
import type { Contestant } from "./contest.ts";
import { inFlight, makeCalls, repeatCall } from "./contestants.ts";
import type { Measurement } from "./measurement.ts";
import { type ModelSize, modelSizes, plansOf, type Scale } from "./models.ts";
import { encodeRange } from "./reads.ts";

type Call = (arena: Arena, size: ModelSize) => Contestant;

const concurrency = inFlight(16);

const getVersion: Call = (arena, { name, plan }) =>
  makeCalls(arena, {
    name,
    server: arena.service,
    method: "getVersion",
    bodies: { kind: "versions", plan },
    concurrency,
    unit: "call",
  });

const getRange: Call = (arena, { name, plan }) =>
  repeatCall(arena, {
    name,
    server: arena.service,
    method: "getVersion",
    message: encodeRange(plan.model),
    concurrency,
  });

const listVersions: Call = (arena, { name, plan }) => {
  const message = encodeListVersions({ model: plan.model, limit: 100 });
  return repeatCall(arena, { name, server: arena.service, method: "listVersions", message, concurrency });
};

const registerVersion: Call = (arena, { name, models }) =>
  makeCalls(arena, {
    name,
    server: arena.service,
    method: "registerVersion",
    bodies: { kind: "explicit", models, major: arena.nextMajor() },
    concurrency,
    unit: "call",
  });

// Registrations come last, because they make the models larger.
const calls: Readonly<Record<string, { title: string; call: Call }>> = {
  "growth-get": { title: "GetVersion of another version each time", call: getVersion },
  "growth-range": { title: "GetVersion by the range ^1.2", call: getRange },
  "growth-list": { title: "ListVersions, the first 100", call: listVersions },
  "growth-register": { title: "RegisterVersion, 16 in flight", call: registerVersion },
};

/** Each call on models of all sizes. */
export function growth(scale: Scale): Measurement[] {
  const sizes = modelSizes(scale);
  return Object.entries(calls).map(([name, { title, call }]) => ({
    name,
    title: `${title}, by the size of the model`,
    unit: "calls",
    base: sizes[0]?.name ?? "",
    plans: sizes.flatMap(plansOf),
    targets: [],
    contestants: (arena) => sizes.map((size) => call(arena, size)),
  }));
}
