// Registrations, of explicit numbers and of increments, by the number of calls in flight and of models.

import { nameModels } from "../rows.ts";
import type { Arena, Server } from "./arena.ts";
import type { BodyOrder } from "./bodies.ts";
import type { Contestant } from "./contest.ts";
import { inFlight, makeCalls, useDatabase } from "./contestants.ts";
import type { Measurement } from "./measurement.ts";

const OURS = "explicit";
const DIRECT = "direct INSERT server";

/** Where the target of the design is: many models, many callers. */
const demanding = { calls: 64, models: 1_000 };

const shapes = [1_000, 1].flatMap((models) => [64, 16, 1].map((calls) => ({ calls, models })));

/** RegisterVersion, each number of calls and models a measurement. */
export const writes: readonly Measurement[] = shapes.map(({ calls, models }) => {
  const isDemanding = calls === demanding.calls && models === demanding.models;
  return {
    name: `register-${calls}-${models}`,
    title: `RegisterVersion, ${calls} in flight, ${models === 1 ? "one model" : `${models} models`}`,
    unit: "calls",
    base: DIRECT,
    targets: isDemanding ? [{ kind: "ratio", contestant: OURS, min: 0.8 }] : [],
    contestants: (arena) => [
      register(arena, { name: OURS, server: arena.service, calls, bodies: explicit(arena, "ours", models) }),
      register(arena, { name: DIRECT, server: arena.insertServer, calls, bodies: explicit(arena, "direct", models) }),
      increment(arena, calls, models),
      ...(isDemanding ? [insert(arena, models)] : []),
    ],
  };
});

function register(
  arena: Arena,
  { calls, ...call }: { name: string; server: Server; calls: number; bodies: BodyOrder },
): Contestant {
  return makeCalls(arena, { ...call, method: "registerVersion", concurrency: inFlight(calls), unit: "call" });
}

function increment(arena: Arena, calls: number, models: number): Contestant {
  const bodies = { kind: "increment", models: nameModels("increment", models) } as const;
  return register(arena, { name: "increment", server: arena.service, calls, bodies });
}

function explicit(arena: Arena, prefix: string, models: number): BodyOrder {
  return { kind: "explicit", models: nameModels(prefix, models), major: arena.nextMajor() };
}

function insert(arena: Arena, models: number): Contestant {
  const names = nameModels("insert", models);
  return useDatabase(arena, "INSERT, no gRPC", { kind: "insert", models: names, major: arena.nextMajor() });
}
