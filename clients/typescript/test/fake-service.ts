import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type ClientOptions, SteleClient } from "../src/client.ts";
import { ModelRegistryService } from "../src/gen/stele/v1/model_registry_service_pb.ts";

/** A service in this process with the calls that a test gives it. */
export interface FakeService extends AsyncDisposable {
  readonly address: string;
  /** Cuts all connections. */
  cut(): void;
  /** A client of it. */
  connect(options?: Partial<ClientOptions>): SteleClient;
}

/** Starts a service on a free port. */
export async function startFakeService(calls: Partial<ServiceImpl<typeof ModelRegistryService>>): Promise<FakeService> {
  const server = createServer(connectNodeAdapter({ routes: ({ service }) => service(ModelRegistryService, calls) }));
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const address = `127.0.0.1:${port}`;
  const cut = () => {
    for (const session of sessions) session.destroy();
  };
  return {
    address,
    cut,
    connect: (options = {}) => new SteleClient({ address, plaintext: true, ...options }),
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
