import type { Server } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatus } from "grpc-health-check";
import { ModelRegistryService } from "../../gen/stele/v1/model_registry_service_pb.ts";

// The empty name is the health of the process as a whole.
const names = ["", ModelRegistryService.typeName];

/** Answers grpc.health.v1, NOT_SERVING until told otherwise. */
export class Health {
  readonly #implementation = new HealthImplementation(Object.fromEntries(names.map((name) => [name, "NOT_SERVING"])));
  #status: ServingStatus = "NOT_SERVING";

  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Tells the watchers, if this is news; answers whether it is. */
  setServing(isServing: boolean): boolean {
    const status = isServing ? "SERVING" : "NOT_SERVING";
    if (status === this.#status) return false;
    this.#status = status;
    for (const name of names) this.#implementation.setStatus(name, status);
    return true;
  }
}
