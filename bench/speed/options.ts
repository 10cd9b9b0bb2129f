// The command line of the benchmark.

import { parseArgs } from "node:util";
import { parseCount, UsageError } from "../command-line.ts";
import { growth } from "./growth.ts";
import { listings } from "./listings.ts";
import type { Measurement } from "./measurement.ts";
import type { Scale } from "./models.ts";
import { reads } from "./reads.ts";
import { writes } from "./writes.ts";

/** What a run is asked for. */
export interface Options {
  readonly scale: Scale;
  readonly chosen: readonly Measurement[];
  /** undefined: one that goes away. */
  readonly dataDirectory: string | undefined;
  readonly jsonFile: string | undefined;
  readonly isGuard: boolean;
}

const full: Scale = { rounds: 5, seconds: 1, versions: 1_000_000 };
const quick: Scale = { rounds: 3, seconds: 0.4, versions: 20_000 };

const usage = `npm run bench -- [options] [measurement...]

  --rounds N      turns of each contestant (${full.rounds}); without a target half as many
  --seconds N     how long a turn is (${full.seconds})
  --versions N    versions of the large model (${full.versions})
  --quick         what has a target, with ${quick.rounds} turns of ${quick.seconds} s on ${quick.versions} versions
  --data-dir DIR  keeps the data there, and uses what it has
  --json FILE     writes the result there too
  --guard         fails when a ratio is under half of its target

The measurements, all unless some are named: ${measurementsOf(full)
  .map(({ name }) => name)
  .join(", ")}
`;

/** What the command line says; a text where it asks for help. Throws UsageError. */
export function readOptions(args: readonly string[]): Options | string {
  const { values, positionals } = parse(args);
  if (values.help) return usage;
  const fallback = values.quick ? quick : full;
  const scale = {
    rounds: parseCount(values.rounds, { option: "--rounds", fallback: fallback.rounds, min: 1, max: 1_000 }),
    seconds: parseSeconds(values.seconds, fallback.seconds),
    versions: parseCount(values.versions, {
      option: "--versions",
      fallback: fallback.versions,
      min: quick.versions,
      max: 100_000_000,
    }),
  };
  return {
    scale,
    chosen: choose(measurementsOf(scale), positionals, values.quick),
    dataDirectory: values["data-dir"],
    jsonFile: values.json,
    isGuard: values.guard,
  };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: text,
      seconds: text,
      versions: text,
      "data-dir": text,
      json: text,
      quick: flag,
      guard: flag,
      help: { ...flag, short: "h" },
    },
  });
}

function parseSeconds(text: string | undefined, fallback: number): number {
  const seconds = Number(text ?? fallback);
  if (seconds >= 0.1 && seconds <= 600) return seconds;
  throw new UsageError(`--seconds must be a number from 0.1 to 600, not ${JSON.stringify(text)}`);
}

/** In the order in which they are made: registrations into large models come last, because those grow by them. */
function measurementsOf(scale: Scale): readonly Measurement[] {
  return [...reads, ...writes, ...listings, ...growth(scale)];
}

function choose(all: readonly Measurement[], names: readonly string[], isQuick: boolean): readonly Measurement[] {
  if (names.length === 0) return isQuick ? all.filter(({ targets }) => targets.length > 0) : all;
  return names.map((name) => {
    const found = all.find((measurement) => measurement.name === name);
    if (found === undefined) throw new UsageError(`there is no measurement ${JSON.stringify(name)}; see --help`);
    return found;
  });
}
