// How contestants are made: a server and a load generator, or a program that works on the database without a server.

import { connect } from "node:http2";
import { ModelRegistryServiceDefinition as methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { ChildProgram } from "../child-program.ts";
import type { Arena, Server } from "./arena.ts";
import type { Contestant } from "./contest.ts";
import type { DatabaseLoadAnswers, DatabaseLoadOrder } from "./database-load-program.ts";
import { callRaw, frameMessage, type RawRequest } from "./grpc-call.ts";
import { type Concurrency, describeH2load, hasH2load, runH2load } from "./h2load.ts";
import type { NodeLoadAnswers, NodeLoadOrder } from "./node-load-program.ts";

type Method = keyof typeof methods;

/** So many calls at once, over as many connections as a few callers would have. */
export function inFlight(calls: number): Concurrency {
  const connections = Math.min(4, calls);
  return { connections, streams: calls / connections };
}

/** Repeats one call: h2load does, where the machine has it. */
export function repeatCall(
  arena: Arena,
  call: { name: string; server: Server; method: Method; message: Uint8Array; concurrency: Concurrency },
): Contestant {
  const { name, server, method, message, concurrency } = call;
  const request = { path: methods[method].path, body: frameMessage(message) };
  if (!hasH2load) {
    const bodies = { kind: "fixed", base64: request.body.toString("base64") } as const;
    return makeCalls(arena, { name, server, method, bodies, concurrency, unit: "call" });
  }
  return {
    name,
    load: describeH2load(concurrency),
    pid: server.pid,
    run: async () => {
      await checkSample(server, request);
      return await runH2load(server.address, request, { ...concurrency, seconds: arena.scale.seconds });
    },
  };
}

const SAMPLE_CALLS = 3;

/** Throws when a call does not end with OK, which h2load would not notice. */
async function checkSample({ address }: Server, request: RawRequest): Promise<void> {
  const session = connect(`http://${address}`);
  try {
    for (let call = 0; call < SAMPLE_CALLS; call += 1) {
      const status = await callRaw(session, request);
      if (status !== "0") throw new Error(`${request.path} answered the grpc-status ${status}`);
    }
  } finally {
    session.close();
  }
}

/** Makes calls whose bodies differ, or of which more is counted, from a Node process of its own. */
export function makeCalls(
  arena: Arena,
  call: { name: string; server: Server; method: Method; concurrency: Concurrency } & Pick<
    NodeLoadOrder,
    "bodies" | "unit"
  >,
): Contestant {
  const { name, server, method, concurrency, ...rest } = call;
  const { address, pid } = server;
  const { seconds } = arena.scale;
  const order: NodeLoadOrder = { address, path: methods[method].path, seconds, ...concurrency, ...rest };
  const program = arena.processes.use(new ChildProgram<NodeLoadAnswers>("speed/node-load-program.ts", order));
  const load = `node:http2 ${concurrency.connections} x ${concurrency.streams}`;
  return { name, load, pid, run: async () => await program.ask("run") };
}

/** Works on the database with no server between. */
export function useDatabase(arena: Arena, name: string, work: DatabaseLoadOrder["work"]): Contestant {
  const order: DatabaseLoadOrder = { databaseUrl: arena.databaseUrl, seconds: arena.scale.seconds, work };
  const program = arena.processes.use(new ChildProgram<DatabaseLoadAnswers>("speed/database-load-program.ts", order));
  return { name, load: "pg in the process", pid: program.pid, run: async () => await program.ask("run") };
}
