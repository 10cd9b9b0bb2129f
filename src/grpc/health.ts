import { create } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import { HealthDefinition } from "../../gen/health/v1/health_grpc.ts";
import {
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { ModelRegistryService } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { serviceNotFound } from "../domain/call-errors.ts";
import { type AdapterOptions, addService } from "./adapter.ts";
import type { CallContext } from "./call-context.ts";

// The empty name is the health of the process as a whole.
const names = ["", ModelRegistryService.typeName];

/** Answers grpc.health.v1, NOT_SERVING until told otherwise. It keeps nothing of what it is asked: strangers ask it. */
export class Health {
  #isServing = false;
  readonly #watchers = new Set<() => void>();

  addTo(server: Server, options: AdapterOptions): void {
    const health = {
      check: async ({ service }: { service: string }) => {
        if (!names.includes(service)) throw serviceNotFound(service);
        return this.#answer();
      },
      list: async () => {
        const statuses = Object.fromEntries(names.map((name) => [name, this.#answer()]));
        return create(HealthListResponseSchema, { statuses });
      },
      watch: ({ service }: { service: string }, { signal }: CallContext) =>
        this.#watch(names.includes(service), signal),
    };
    addService(server, HealthDefinition, health, options);
  }

  /** Tells the watchers, if this is news; answers whether it is. */
  setServing(isServing: boolean): boolean {
    if (isServing === this.#isServing) return false;
    this.#isServing = isServing;
    for (const wake of this.#watchers) wake();
    return true;
  }

  async *#watch(isKnown: boolean, signal: AbortSignal): AsyncGenerator<HealthCheckResponse, void, undefined> {
    if (!isKnown) yield create(HealthCheckResponseSchema, { status: ServingStatus.SERVICE_UNKNOWN });
    while (!signal.aborted) {
      if (isKnown) yield this.#answer();
      await this.#change(signal);
    }
  }

  /** Resolves at the next change, or when the signal aborts; nothing of it is left then. */
  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
    this.#watchers.delete(wake);
  }

  #answer(): HealthCheckResponse {
    const status = this.#isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    return create(HealthCheckResponseSchema, { status });
  }
}
