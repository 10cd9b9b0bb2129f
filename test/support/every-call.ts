import type { RegistryClient } from "./registry-client.ts";

/** A call of each RPC about a model, by the name of the RPC; every one is a good request. */
export const everyCall: readonly {
  readonly rpc: string;
  readonly make: (client: RegistryClient, model: string) => Promise<unknown>;
}[] = [
  { rpc: "RegisterVersion", make: (client, model) => client.registerBare(model, "1.0.0") },
  { rpc: "GetVersion", make: (client, model) => client.getExact(model, "1.0.0") },
  { rpc: "ListVersions", make: (client, model) => client.listAll({ model }) },
  { rpc: "ListModels", make: (client, model) => Array.fromAsync(client.listModels({ prefix: model })) },
];
