import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { PostgresConnection } from "./postgres-setup.ts";

/** Where a connection is cut: before the next INSERT reaches Postgres, or after Postgres has answered it. */
export type Cut = "before the request" | "after the answer";

/** A proxy in front of Postgres that can cut a connection around the next INSERT; statements must come unprepared. */
export class PostgresProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: PostgresConnection;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;
  #refusing = false;
  /** How many connections were cut. */
  cuts = 0;

  constructor(target: PostgresConnection) {
    this.#target = target;
    this.#server = createServer((client) => this.#forward(client));
  }

  /** Starts to listen, on any free port unless one is given; answers a DATABASE_URL through the proxy. */
  async listen(atPort = 0): Promise<string> {
    await once(this.#server.listen(atPort, "127.0.0.1"), "listening");
    const address = this.#server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return `postgres://${this.#target.user}@127.0.0.1:${port}/${this.#target.database}`;
  }

  /** Cuts the connection that carries the next INSERT; further ones pass, unless they are refused from then on. */
  cutNext(cut: Cut, { thenRefuse = false } = {}): void {
    this.#cut = cut;
    this.#refusing = false;
    this.#thenRefuse = thenRefuse;
  }

  /** Lets everything pass again. */
  heal(): void {
    this.#cut = undefined;
    this.#refusing = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #thenRefuse = false;

  #forward(client: Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const server = connect(`${this.#target.host}/.s.PGSQL.${this.#target.port}`);
    this.#keep(client, server);
    this.#keep(server, client);
    let isAwaitingAnswer = false;
    client.on("data", (bytes) => {
      const cut = bytes.includes("insert into") ? this.#cut : undefined;
      if (cut === "before the request") return this.#sever(client, server);
      if (cut === "after the answer") isAwaitingAnswer = true;
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (isAwaitingAnswer) this.#sever(client, server);
      else client.write(bytes);
    });
  }

  #sever(client: Socket, server: Socket): void {
    this.#cut = undefined;
    this.#refusing = this.#thenRefuse;
    this.cuts += 1;
    client.destroy();
    server.destroy();
    // Away is away for idle connections too.
    if (this.#refusing) for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket, peer: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      peer.destroy();
    });
  }
}
