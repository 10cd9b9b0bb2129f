import { once } from "node:events";
import { createServer } from "node:net";

/** A number of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** host:port that nobody listens on at this moment. */
export async function freeAddress(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was free");
  return `127.0.0.1:${address.port}`;
}

/** All that a service tells at /metrics. */
export async function fetchMetrics(address: string): Promise<string> {
  const response = await fetch(`http://${address}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return await response.text();
}

/** The samples in what /metrics answered; throws at a line that is none. */
export function samplesIn(text: string): Sample[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(line) ?? [];
    if (name === "") throw new Error(`no sample of the Prometheus text format: ${line}`);
    const pairs = labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)",?/g);
    return { name, labels: Object.fromEntries(pairs.map(([, key, text]) => [key, text])), value: Number(value) };
  });
}

/** The values of a metric by those of one label, or by several joined with spaces. */
export function valuesOf(samples: readonly Sample[], name: string, ...labels: string[]): Record<string, number> {
  const own = samples.filter((sample) => sample.name === name);
  return Object.fromEntries(own.map((sample) => [labels.map((label) => sample.labels[label]).join(" "), sample.value]));
}
