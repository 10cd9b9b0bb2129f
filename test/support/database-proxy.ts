// The network between the service and its database, with everything that can go wrong with it.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresConnection } from "./postgres-setup.ts";

/**
 * How the network is: "refusing" resets every connection, "frozen" lets nothing pass, "mute" no answers, "closed" no new
 * connection, "gone" nothing at all, and what was begun then is lost.
 */
export type Network = "open" | "refusing" | "frozen" | "mute" | "closed" | "gone";

/** A proxy in front of a database, which breaks what passes through it as it is told. */
export class DatabaseProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #target: PostgresConnection;
  #gate = openGate();
  #network: Network = "open";
  #breakFromBytes = Number.POSITIVE_INFINITY;
  /** How late each chunk arrives. */
  delayMs = 0;
  /** How often somebody has tried to connect. */
  attempts = 0;

  constructor(target: PostgresConnection) {
    this.#target = target;
    this.#server = createServer((client) => void this.#accept(client));
  }

  /** Starts to listen on any free port; answers a DATABASE_URL through the proxy for this user. */
  async listen(user: string): Promise<string> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const address = this.#server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return `postgres://${user}@127.0.0.1:${port}/${this.#target.database}`;
  }

  /** Changes the network; what a frozen one has held back passes once it is open. */
  become(network: Network): void {
    this.#network = network;
    if (network === "refusing") this.#reset();
    this.#gate.open();
    this.#gate = isSilent(network) ? closedGate() : openGate();
  }

  /** Leads to another database from now on; the connections to the first are reset. */
  switchTo(target: PostgresConnection): void {
    this.#target = target;
    this.#reset();
  }

  /** Resets a connection in the middle of the next answer that has so many bytes. */
  breakNextAnswer(fromBytes: number): void {
    this.#breakFromBytes = fromBytes;
  }

  /** Whether that has happened. */
  get hasBrokenAnswer(): boolean {
    return this.#breakFromBytes === Number.POSITIVE_INFINITY;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.become("refusing");
    if (this.#server.listening) await once(this.#server, "close");
  }

  #reset(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  async #accept(client: Socket): Promise<void> {
    client.on("error", ignore);
    this.attempts += 1;
    if (this.#network === "refusing") return void client.resetAndDestroy();
    this.#clients.add(client.once("close", () => this.#clients.delete(client)));
    // Accepted, and silent for as long as it lives.
    if (this.#network === "closed" || this.#network === "gone") return void client.resume();
    const { host, port } = this.#target;
    const server = connect(`${host}/.s.PGSQL.${port}`).on("error", ignore);
    client.once("close", () => server.destroy());
    await Promise.allSettled([this.#carry(client, server, false), this.#carry(server, client, true)]);
    server.destroy();
    client.destroy();
  }

  async #carry(from: Socket, to: Socket, isAnswer: boolean): Promise<void> {
    for await (const chunk of from) {
      if (this.delayMs > 0) await sleep(this.delayMs);
      if (isAnswer || this.#network !== "mute") await this.#gate.opened;
      if (isAnswer && chunk.length >= this.#breakFromBytes) return await this.#breakOff(to, chunk);
      to.write(chunk);
    }
    to.end();
  }

  async #breakOff(client: Socket, chunk: Buffer): Promise<void> {
    this.#breakFromBytes = Number.POSITIVE_INFINITY;
    await new Promise<unknown>((resolve) => client.write(chunk.subarray(0, chunk.length / 2), resolve));
    client.resetAndDestroy();
  }
}

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

function openGate(): Gate {
  return { opened: Promise.resolve(), open: ignore };
}

function closedGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

function isSilent(network: Network): boolean {
  return network === "frozen" || network === "mute" || network === "gone";
}

function ignore(): void {}
