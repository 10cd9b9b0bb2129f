import { readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { CallDurations } from "../../src/telemetry/call-durations.ts";
import { Instruments } from "../../src/telemetry/instruments.ts";
import { serveMetrics } from "../../src/telemetry/prometheus.ts";
import { readDocument } from "../support/document.ts";

const document = readDocument("operations.md");
const source = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

let printed: string;

// Everything that can be told is told once: a counter is printed when it has counted.
beforeAll(async () => {
  const durations = new CallDurations();
  await using metrics = await serveMetrics({ host: "127.0.0.1", port: 0 }, { version: "0.0.0", durations });
  const instruments = new Instruments(metrics.meter, durations);
  const told = {
    callEnded: () => instruments.callEnded({ method: "s/M", status: "INTERNAL", durationMs: 1 }),
    listed: () => instruments.listed("s/M", 1, 1),
    registered: () => instruments.registered("stored"),
    databaseFailed: () => instruments.databaseFailed("primary", "53100"),
    observe: () =>
      instruments.observe({
        activeCalls: () => ({ calls: 1 }),
        pools: () => [{ name: "primary", idle: 1, used: 1, pending: 1, max: 1 }],
        reachable: () => ({ primary: true }),
      }),
  };
  expect(Object.getOwnPropertyNames(Instruments.prototype)).toEqual(["constructor", ...Object.keys(told)]);
  for (const tell of Object.values(told)) tell();
  printed = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
});

it("the table has every metric that is printed, and no other", () => {
  const listed = namesIn("## Metrics");
  const metrics = [...printed.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(metrics.toSorted());
});

it("the rules use metrics and labels that are printed", () => {
  const rules = /```yaml\n(groups:[\s\S]*?)```/.exec(document)?.[1] ?? "";
  const series = new Set([...printed.matchAll(/^(\w+)[{ ]/gm)].map(([, name]) => name));
  const labels = new Set([...printed.matchAll(/[{,](\w+)="/g)].map(([, name]) => name));
  const used = [...rules.matchAll(/\b(?:stele|rpc|db|process)_\w+/g)].map(([name]) => name);
  expect(used.filter((name) => !series.has(name) && !labels.has(name))).toEqual([]);
  expect(used.length).toBeGreaterThan(10);
});

it("the table has every field of a call's line, and no other", () => {
  const line = /const line = \{([\s\S]*?)\n {4}\};/.exec(source("src/grpc/call-observer.ts"))?.[1] ?? "";
  const fields = [...line.matchAll(/(\w+):|\{ (\w+) \}|(traceId) \}/g)].map((match) => match.slice(1).find(Boolean));
  expect(namesIn("## Log and traces").toSorted()).toEqual(fields.toSorted());
  expect(fields.length).toBeGreaterThan(8);
});

it("names settings, reasons and npm scripts that exist", () => {
  const settings = [...source("src/config.ts").matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
  const reasons = readDocument("errors.md").match(/[A-Z]+_[A-Z_]+/g) ?? [];
  const others = ["NOT_SERVING", "DATA_LOSS", "ADMIN_PASSWORD", "SERVICE_PASSWORD"];
  const known = new Set([...settings, ...reasons, ...others]);
  const named = document.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? [];
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  expect(named.length).toBeGreaterThan(40);
  const { scripts } = JSON.parse(source("package.json")) as { scripts: Record<string, string> };
  const run = [...document.matchAll(/npm run (?:-s )?([a-z:]+)/g)].map(([, script]) => script);
  expect(run.filter((script = "") => scripts[script] === undefined)).toEqual([]);
  expect(run.length).toBeGreaterThan(3);
});

/** The names in the first column of the tables of a section. */
function namesIn(heading: string): string[] {
  const section = document.split(/^(?=## )/m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const cells = [...section.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name));
}
