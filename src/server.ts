// The composition root: everything that a running service is made of, put together and taken apart here.

import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Server, ServerCredentials, setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type Config, ConfigError, formatAddress } from "./config.ts";
import { CallTracker } from "./grpc/call-tracker.ts";
import { Health } from "./grpc/health.ts";
import { addModelRegistryService } from "./grpc/model-registry-service.ts";
import { addReflection } from "./grpc/reflection.ts";
import { watchReadiness } from "./readiness.ts";
import { createRegistry } from "./registry/registry.ts";
import { openStore, type Store } from "./store/open-store.ts";

/** A running service; disposing of it drains it. */
export interface Service extends AsyncDisposable {
  /** host:port where it listens. */
  readonly address: string;
  /** Where the data is, for a person. */
  readonly storeDescription: string;
}

/**
 * Opens the store and serves it.
 *
 * @throws ConfigError, StoreError, EmbeddedPostgresError, with words for the person who started the service.
 */
export async function startService(config: Config, log: Logger): Promise<Service> {
  // grpc-js would write to the console; what matters of it reaches us as errors too.
  setLogger({ error: (...words: unknown[]) => log.debug({ grpc: words.join(" ") }, "grpc-js") });
  await using started = new AsyncDisposableStack();
  const store = started.use(await openStore({ ...config, serviceAddress: formatAddress(config.listen), log }));
  const listener = started.use(await listen(config, store, log));
  await store.announce(listener.address);
  const running = started.move();
  return {
    address: listener.address,
    storeDescription: store.description,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

interface Listener extends AsyncDisposable {
  readonly address: string;
}

async function listen(config: Config, { database }: Store, log: Logger): Promise<Listener> {
  const server = new Server();
  const calls = new CallTracker();
  const health = new Health();
  addModelRegistryService(server, createRegistry(database), { calls, log });
  health.addTo(server);
  addReflection(server);
  const port = await bind(server, config.listen);
  const stopping = new AbortController();
  const report = (isReady: boolean) => {
    if (!health.setServing(isReady)) return;
    if (isReady) log.info("serving");
    else log.warn("not serving: the database does not answer");
  };
  const readiness = watchReadiness(database, report, stopping.signal);
  return {
    address: formatAddress({ ...config.listen, port }),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      health.setServing(false);
      await drain(server, calls, config.shutdownGraceMs);
      await readiness;
    },
  };
}

async function bind(server: Server, { host, port }: Config["listen"]): Promise<number> {
  const address = formatAddress({ host, port });
  try {
    return await promisify(server.bindAsync.bind(server))(address, ServerCredentials.createInsecure());
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const advice = words.includes("EADDRINUSE")
      ? "another program listens there; stop it, or set STELE_LISTEN to another port"
      : `set STELE_LISTEN to an address of this machine: ${words}`;
    throw new ConfigError(`cannot listen on ${address}; ${advice}`);
  }
}

// Streams end at once with the token that they have delivered, unary calls finish. What is left then, health
// watches above all, never ends by itself and is cut.
async function drain(server: Server, calls: CallTracker, graceMs: number): Promise<void> {
  calls.drain();
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const grace = new AbortController();
  await Promise.race([calls.whenIdle(), closed, sleep(graceMs, undefined, { signal: grace.signal })]);
  grace.abort();
  server.forceShutdown();
  await closed;
}
