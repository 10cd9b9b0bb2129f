// The network between a client and the service, with everything that can go wrong with it: HTTP/2 without TLS on both
// sides, passed on message by message, except for the calls that have a fault waiting.

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Fault } from "./cases.ts";
import { ProxiedCall } from "./proxied-call.ts";
import { ProxiedConnection } from "./proxied-connection.ts";

/** A proxy in front of the service, which breaks what passes through it as it is told. */
export class FaultProxy implements AsyncDisposable {
  readonly #target: string;
  readonly #server: Server;
  readonly #connections = new Set<ProxiedConnection>();
  #faults: Fault[] = [];
  #calls = 0;
  #openCalls = 0;

  constructor(target: string) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Starts to listen on any free port; answers host:port. */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  /** Forgets the calls so far and lets the next ones meet these faults, one each. */
  expectCalls(faults: readonly Fault[]): void {
    this.#calls = 0;
    this.#faults = faults.flatMap((fault) => {
      const times = typeof fault === "object" && "times" in fault ? (fault.times ?? 1) : 1;
      return Array.from({ length: times }, () => fault);
    });
  }

  /** How many calls have arrived since. */
  get calls(): number {
    return this.#calls;
  }

  /** How many calls have not ended. */
  get openCalls(): number {
    return this.#openCalls;
  }

  /** The faults that no call has met so far. */
  get unmetFaults(): readonly Fault[] {
    return this.#faults;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await once(this.#server.close(), "close");
  }

  #accept(client: Socket): void {
    const connection = new ProxiedConnection(client, this.#target, (stream, headers) => {
      this.#calls += 1;
      this.#openCalls += 1;
      stream.on("close", () => {
        this.#openCalls -= 1;
      });
      const call = new ProxiedCall(stream, connection, this.#faults.shift());
      if (!call.refuse()) call.passOn(connection.upstream.request(headers));
    });
    this.#connections.add(connection);
    client.on("close", () => this.#connections.delete(connection));
  }
}
