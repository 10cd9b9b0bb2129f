// Reads of one version.

import { create, toBinary } from "@bufbuild/protobuf";
import { GetVersionRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { hotRequest } from "./arena.ts";
import { inFlight, makeCalls, repeatCall, useDatabase } from "./contestants.ts";
import type { Measurement } from "./measurement.ts";
import { bigModel } from "./models.ts";

const concurrency = inFlight(64);
const method = "getVersion";

const hot: Measurement = {
  name: "get-hot",
  title: "GetVersion of one version again and again",
  unit: "calls",
  base: "bare server",
  targets: [{ kind: "ratio", contestant: "stele", min: 0.7 }],
  contestants: (arena) => {
    const message = toBinary(GetVersionRequestSchema, hotRequest(arena.scale));
    return [
      repeatCall(arena, { name: "stele", server: arena.service, method, message, concurrency }),
      repeatCall(arena, { name: "bare server", server: arena.bareServer, method, message, concurrency }),
    ];
  },
};

const cold: Measurement = {
  name: "get-cold",
  title: "GetVersion of another version each time",
  unit: "calls",
  base: "bare server",
  targets: [],
  contestants: (arena) => {
    const plan = bigModel(arena.scale);
    const call = { method, bodies: { kind: "versions", plan }, concurrency, unit: "call" } as const;
    return [
      makeCalls(arena, { name: "stele", server: arena.service, ...call }),
      makeCalls(arena, { name: "bare server", server: arena.bareServer, ...call }),
      useDatabase(arena, "select, no gRPC", { kind: "select", plan }),
    ];
  },
};

const range: Measurement = {
  name: "get-range",
  title: "GetVersion by the range ^1.2",
  unit: "calls",
  base: "bare server",
  targets: [],
  contestants: (arena) => {
    const message = encodeRange(bigModel(arena.scale).model);
    return [
      repeatCall(arena, { name: "stele", server: arena.service, method, message, concurrency }),
      repeatCall(arena, { name: "bare server", server: arena.bareServer, method, message, concurrency }),
    ];
  },
};

/** Asks for the highest version of a range that every model has releases in. */
export function encodeRange(model: string): Uint8Array {
  const request = create(GetVersionRequestSchema, { model, selector: { case: "range", value: "^1.2" } });
  return toBinary(GetVersionRequestSchema, request);
}

/** GetVersion: hot, cold, by range. */
export const reads: readonly Measurement[] = [hot, cold, range];
