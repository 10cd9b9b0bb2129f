// Runs a case: gives its steps to a runner one by one, lets its faults happen, and compares what comes with what is expected.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type DescMessage, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { ModelSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { type ConformanceCase, expandVersions, type Step } from "./cases.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import { findDifferences, findDifferencesWithin, type Names, substitute } from "./pattern.ts";
import type { Answer, Runner } from "./runner.ts";

const OPEN_TRIES = 250;

/** What a case is run with. */
export interface Surroundings {
  readonly language: string;
  readonly runner: Runner;
  readonly proxy: FaultProxy;
  /** What the names of every case stand for, such as $secure, the address of a service with TLS. */
  readonly names: ReadonlyMap<string, string>;
  /** Registers versions without the runner. */
  seed(model: string, versions: readonly string[], descriptionBytes: number): Promise<void>;
  /** Stops, kills or starts the service that is there for it; `start` does not wait. */
  control(action: "stop" | "kill" | "start"): Promise<void>;
}

/** A case that came out otherwise than expected. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

/**
 * Runs a case to its end.
 *
 * @throws ConformanceError at the first step with a difference, with all of that step's.
 */
export async function runCase(conformanceCase: ConformanceCase, surroundings: Surroundings): Promise<void> {
  const { given = [], givenDescriptionBytes = 0, steps } = conformanceCase;
  const names = namesOf(conformanceCase, surroundings);
  await surroundings.seed(String(names.get("$model")), expandVersions(given), givenDescriptionBytes);
  if (!steps.some((step) => "connect" in step)) {
    await surroundings.runner.ask({ do: "connect", address: names.get("$proxy"), plaintext: true });
  }
  surroundings.proxy.expectCalls([]);
  for (const [index, step] of steps.entries()) {
    const differences = await runStep(step, surroundings, names);
    if (differences.length === 0) continue;
    throw new ConformanceError(`step ${index + 1} (${Object.keys(step)[0]}):\n${differences.join("\n")}`);
  }
  const unmet = surroundings.proxy.unmetFaults;
  if (unmet.length > 0) throw new ConformanceError(`these faults were met by no call: ${JSON.stringify(unmet)}`);
}

// Each case has a model of its own in each language, so that it meets nobody else's versions.
function namesOf({ subject, place }: ConformanceCase, { language, names }: Surroundings): Names {
  return new Map<string, unknown>([
    ...names,
    ["$model", `conformance/${language}/${subject}-${place}`],
    ["$id", randomUUID()],
    ["$otherId", randomUUID()],
  ]);
}

async function runStep(step: Step, surroundings: Surroundings, names: Names): Promise<string[]> {
  if ("service" in step) {
    await surroundings.control(step.service);
    return [];
  }
  if (!("take" in step)) surroundings.proxy.expectCalls(step.faults ?? []);
  const answer = await surroundings.runner.ask(toRequest(step, names));
  return [...compareOutcome(step, answer, names), ...(await compareCalls(step, surroundings.proxy))];
}

type AskingStep = Exclude<Step, { service: unknown }>;

function toRequest(step: AskingStep, names: Names): object {
  const known = (value: unknown) => substitute(value, names);
  if ("register" in step) return { do: "register", request: known(step.register) };
  if ("listVersions" in step) return { do: "listVersions", request: known(step.listVersions) };
  if ("listModels" in step) return { do: "listModels", request: known(step.listModels) };
  if ("digest" in step) return { do: "digest", record: known(step.digest) };
  if ("take" in step) return { do: "take", ...(step.take !== "all" && { count: step.take }) };
  if ("connect" in step) return { do: "connect", ...(known(step.connect) as object) };
  if ("get" in step) return { do: "get", ...(known(step.get) as object) };
  return { do: "resolve", ...(known(step.resolve) as object) };
}

function compareOutcome(step: AskingStep, { answer, done, error }: Answer, names: Names): string[] {
  if (step.error === undefined && error !== undefined) return [`failed: ${JSON.stringify(error)}`];
  const differences = step.error === undefined ? [] : findDifferencesWithin(step.error, error ?? {}, names, "error");
  if ("take" in step) {
    const items = (answer as JsonObject[]).map((item) =>
      normalize("name" in item ? ModelSchema : ModelVersionSchema, item),
    );
    if (step.answer !== undefined) differences.push(...findDifferences(step.answer, items, names, "answer"));
    if (step.versions !== undefined) differences.push(...compareVersions(step.versions, items));
    if (step.done !== undefined) differences.push(...findDifferences(step.done, done, names, "done"));
  } else if ("answer" in step) {
    const record = typeof answer === "object" ? normalize(ModelVersionSchema, answer as JsonObject) : answer;
    differences.push(...findDifferences(step.answer, record, names, "answer"));
  }
  return differences;
}

// Libraries differ in how they write a number or a moment, and not in what they mean.
function normalize(schema: DescMessage, message: JsonObject): unknown {
  return toJson(schema, fromJson(schema, message));
}

function compareVersions(expected: string | readonly string[], items: readonly unknown[]): string[] {
  const wanted = expandVersions(expected);
  const got = items.map((item) => (item as { version?: string }).version);
  const first = wanted.findIndex((version, index) => version !== got[index]);
  if (first === -1 && got.length === wanted.length) return [];
  const index = first === -1 ? wanted.length : first;
  return [
    `versions: expected ${wanted.length}, got ${got.length} (${new Set(got).size} different); ` +
      `item ${index + 1} should be ${wanted[index] ?? "nothing"} and is ${got[index] ?? "nothing"}`,
  ];
}

async function compareCalls({ calls, open }: AskingStep, proxy: FaultProxy): Promise<string[]> {
  const [lowest, highest] = typeof calls === "object" ? calls : [calls ?? 0, calls ?? Number.POSITIVE_INFINITY];
  const differences =
    proxy.calls >= lowest && proxy.calls <= highest
      ? []
      : [`calls: expected ${lowest} to ${highest}, got ${proxy.calls}`];
  // What a client gives up ends on its way to the proxy.
  for (let tries = 0; tries < OPEN_TRIES && open !== undefined && proxy.openCalls !== open; tries++) await delay(20);
  if (open !== undefined && proxy.openCalls !== open)
    differences.push(`open: expected ${open}, got ${proxy.openCalls}`);
  return differences;
}
