// The composition root: everything that a running service is made of, put together and taken apart here.

import { setTimeout as sleep } from "node:timers/promises";
import { Server, type ServerOptions, setLogger } from "@grpc/grpc-js";
import type { Logger } from "pino";
import packageJson from "../package.json" with { type: "json" };
import { type Access, openAccess } from "./access/open-access.ts";
import { type Config, ConfigError, formatAddress } from "./config.ts";
import { createGate, type OpenKind } from "./grpc/call-gate.ts";
import { CallTracker } from "./grpc/call-tracker.ts";
import { Health } from "./grpc/health.ts";
import { type Listener, listen } from "./grpc/listener.ts";
import { addModelRegistryService } from "./grpc/model-registry-service.ts";
import { addReflection } from "./grpc/reflection.ts";
import { watchDatabases } from "./readiness.ts";
import { createRegistry } from "./registry/registry.ts";
import { openStore, type Store } from "./store/open-store.ts";
import { Instruments } from "./telemetry/instruments.ts";
import { openTelemetry, type Telemetry } from "./telemetry/open-telemetry.ts";

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
  const telemetry = started.use(await bindTelemetry(config));
  const store = started.use(await openStore({ ...config, serviceAddress: formatAddress(config.listen), log }));
  const serving = started.use(await serve(config, { store, access, telemetry, log }));
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
  readonly telemetry: Telemetry;
  readonly log: Logger;
}

async function serve(config: Config, { store, access, telemetry, log }: Parts): Promise<Serving> {
  const { calls: callLimits, connections } = config.limits;
  // A client may watch the health on each of its connections.
  const calls = new CallTracker({ ...callLimits, health: connections, reflection: MAX_REFLECTIONS });
  const health = new Health();
  const instruments = new Instruments(telemetry.meter, telemetry.durations);
  const observer = { spans: telemetry.spans, instruments, log, logsCalls: config.logsCalls };
  const gate = createGate({ calls, authenticate: access.authenticate, openAs, log, observer });
  const server = new Server({ ...connectionOptions(config.limits), interceptors: [gate] });
  addModelRegistryService(server, createRegistry(store), { calls, log });
  health.addTo(server, { calls, log });
  if (config.reflection) addReflection(server);
  const listener = await bind(server, config, access);
  const stopping = new AbortController();
  const report = (isReady: boolean) => {
    if (!health.setServing(isReady)) return;
    if (isReady) log.info("serving");
    else log.warn("not serving: the database does not answer");
  };
  const watching = watchDatabases(store, { report, instruments, log, signal: stopping.signal });
  instruments.observe({ activeCalls: () => calls.inFlight, ...watching.readings });
  return {
    address: formatAddress({ ...config.listen, port: listener.port }),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      health.setServing(false);
      await drain(server, { listener, calls, graceMs: config.shutdownGraceMs });
      await watching.ended;
    },
  };
}

const MAX_REFLECTIONS = 50;

function openAs(path: string): OpenKind | undefined {
  if (path.startsWith("/grpc.health.v1.")) return "health";
  return path.startsWith("/grpc.reflection.") ? "reflection" : undefined;
}

const MINUTE_MS = 60_000;

// What one client may take of a connection, and how long a connection lasts that is idle, dead or old. A client notices
// nothing of it: it opens the next one.
function connectionOptions({ connectionAgeMs }: Config["limits"]): ServerOptions {
  return {
    "grpc.max_receive_message_length": 4 * 1024 * 1024,
    "grpc.enable_channelz": 0,
    "grpc.max_concurrent_streams": 1000,
    "grpc.max_connection_idle_ms": 5 * MINUTE_MS,
    "grpc.max_connection_age_ms": connectionAgeMs,
    "grpc.max_connection_age_grace_ms": 10 * MINUTE_MS,
    "grpc.keepalive_time_ms": MINUTE_MS,
    "grpc.keepalive_timeout_ms": MINUTE_MS / 3,
  };
}

async function bindTelemetry({ metricsListen, sendsSpans }: Config): Promise<Telemetry> {
  try {
    return await openTelemetry({ metricsListen, sendsSpans, version: packageJson.version });
  } catch (error) {
    throw cannotListen("STELE_METRICS_LISTEN", metricsListen, error);
  }
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
    throw cannotListen("STELE_LISTEN", address, error);
  }
}

function cannotListen(setting: string, address: Config["listen"] | undefined, error: unknown): Error {
  if (address === undefined || !(error instanceof Error)) throw error;
  const advice =
    "code" in error && error.code === "EADDRINUSE"
      ? `another program listens there; stop it, or set ${setting} to another port`
      : `set ${setting} to an address of this machine: ${error.message}`;
  return new ConfigError(`cannot listen on ${formatAddress(address)}; ${advice}`);
}

const LAST_WORDS_MS = 100;

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
  // A client that is told to go goes; a call that crossed that word still gets its refusal.
  await Promise.race([closed, sleep(LAST_WORDS_MS)]);
  server.forceShutdown();
  listener.cut();
  await closed;
}
