import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientOrder } from "./client.ts";
import type { Call } from "./history.ts";

const program = fileURLToPath(new URL("client.ts", import.meta.url));

/** How the work is spread. */
export interface ClientsOptions extends Omit<ClientOrder, "name" | "file"> {
  readonly processes: number;
  /** Where each process leaves its calls. */
  readonly folder: string;
}

/**
 * Runs the client processes to their end and answers all their calls.
 *
 * @throws Error when a process fails; what it wrote is on standard error.
 */
export async function runClients({ processes, folder, ...order }: ClientsOptions): Promise<Call[]> {
  const names = Array.from({ length: processes }, (_, index) => String.fromCharCode(97 + index));
  const histories = names.map((name) => runClient({ ...order, name, file: join(folder, `calls-${name}.jsonl`) }));
  return (await Promise.all(histories)).flat();
}

async function runClient(order: ClientOrder): Promise<Call[]> {
  const child = fork(program, [JSON.stringify(order)]);
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`a client process failed (exit code ${code}, signal ${signal})`);
  const lines = (await readFile(order.file, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Call); // The client process writes its calls so.
}
