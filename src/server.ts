// The composition root: everything that a running service is made of, put together and taken apart here.

import { setTimeout as sleep } from "node:timers/promises";
import { Server, type ServerOptions, setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type Access, openAccess } from "./access/open-access.ts";
import { type Config, ConfigError, formatAddress } from "./config.ts";
import { createGate } from "./grpc/call-gate.ts";
import { CallTracker } from "./grpc/call-tracker.ts";
import { Health } from "./grpc/health.ts";
import { type Listener, listen } from "./grpc/listener.ts";
import { addModelRegistryService, isRegistryMethod } from "./grpc/model-registry-service.ts";
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
  // grpc-js would write headers to the console, and with them tokens; what matters of it reaches us as errors too.
  setLogger({});
  await using started = new AsyncDisposableStack();
  const watching = new AbortController();
  started.defer(() => watching.abort());
  const access = await openAccess(config.access, { log, signal: watching.signal });
  const store = started.use(await openStore({ ...config, serviceAddress: formatAddress(config.listen), log }));
  const serving = started.use(await serve(config, { store, access, log }));
  await store.announce(serving.address);
  const running = started.move();
  return {
    address: serving.address,
    storeDescription: store.description,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

interface Serving extends AsyncDisposable {
  readonly address: string;
}

interface Parts {
  readonly store: Store;
  readonly access: Access;
  readonly log: Logger;
}

async function serve(config: Config, { store: { database }, access, log }: Parts): Promise<Serving> {
  const calls = new CallTracker(config.limits.calls);
  const health = new Health();
  const gate = createGate({ calls, authenticate: access.authenticate, isGuarded: isRegistryMethod, log });
  const server = new Server({ ...connectionOptions(config.limits), interceptors: [gate] });
  addModelRegistryService(server, createRegistry(database), { calls, log });
  health.addTo(server);
  if (config.reflection) addReflection(server);
  const listener = await bind(server, config, access);
  const stopping = new AbortController();
  const report = (isReady: boolean) => {
    if (!health.setServing(isReady)) return;
    if (isReady) log.info("serving");
    else log.warn("not serving: the database does not answer");
  };
  const readiness = watchReadiness(database, report, stopping.signal);
  return {
    address: formatAddress({ ...config.listen, port: listener.port }),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      health.setServing(false);
      await drain(server, { listener, calls, graceMs: config.shutdownGraceMs });
      await readiness;
    },
  };
}

const MINUTE_MS = 60_000;

// What one client may take of a connection, and how long a connection lasts that is idle, dead or old. A client notices
// nothing of it: it opens the next one.
function connectionOptions({ connectionAgeMs }: Config["limits"]): ServerOptions {
  return {
    "grpc.max_receive_message_length": 4 * 1024 * 1024,
    "grpc.max_concurrent_streams": 100,
    "grpc.max_connection_idle_ms": 5 * MINUTE_MS,
    "grpc.max_connection_age_ms": connectionAgeMs,
    "grpc.max_connection_age_grace_ms": 10 * MINUTE_MS,
    "grpc.keepalive_time_ms": MINUTE_MS,
    "grpc.keepalive_timeout_ms": MINUTE_MS / 3,
  };
}

async function bind(server: Server, { listen: address, limits, access: { tls } }: Config, access: Access) {
  const files = access.tls;
  try {
    return await listen(server, {
      ...address,
      maxConnections: limits.connections,
      tls: files && {
        asksForCertificate: tls?.clientAuthorities !== undefined,
        follow: (listener) => files.follow(listener),
      },
    });
  } catch (error) {
    const advice =
      error instanceof Error && "code" in error && error.code === "EADDRINUSE"
        ? "another program listens there; stop it, or set STELE_LISTEN to another port"
        : `set STELE_LISTEN to an address of this machine: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError(`cannot listen on ${formatAddress(address)}; ${advice}`);
  }
}

// Streams end at once with the token that they have delivered, unary calls finish. What is left then, health
// watches above all, never ends by itself and is cut.
async function drain(
  server: Server,
  { listener, calls, graceMs }: { listener: Listener; calls: CallTracker; graceMs: number },
): Promise<void> {
  calls.drain();
  const closed = listener.close();
  server.tryShutdown(() => undefined);
  const grace = new AbortController();
  await Promise.race([calls.whenIdle(), closed, sleep(graceMs, undefined, { signal: grace.signal })]);
  grace.abort();
  server.forceShutdown();
  listener.cut();
  await closed;
}
