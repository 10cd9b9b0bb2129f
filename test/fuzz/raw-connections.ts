import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./input.ts";
import type { Outcome } from "./outcome.ts";

/** How long the server has for its first word, and then for more. */
const FIRST_MS = 1000;
const MORE_MS = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/** Writes it all to a connection of its own and gives the server a moment; never rejects. */
export async function sendConnection(address: string, { chunks, ending }: Connection): Promise<Outcome> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let failure = "";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code ?? "";
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  if (!(await isConnected(socket, closed))) return { kind: failure === "ECONNREFUSED" ? "unreachable" : "closed" };
  const answered = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  for (const chunk of chunks) {
    socket.write(chunk);
    await nextTurn();
  }
  await Promise.race([closed, answered, sleep(FIRST_MS)]);
  await Promise.race([closed, sleep(MORE_MS)]);
  const outcome: Outcome = { kind: socket.destroyed ? "closed" : socket.bytesRead > 0 ? "answered" : "silent" };
  if (ending === "reset") socket.resetAndDestroy();
  else socket.destroy();
  return outcome;
}

async function isConnected(socket: Socket, closed: Promise<void>): Promise<boolean> {
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  await Promise.race([once(socket, "connect", { signal }).catch(() => undefined), closed]);
  if (socket.connecting) socket.destroy();
  return !socket.destroyed;
}
