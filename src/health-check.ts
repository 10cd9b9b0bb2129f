// `stele health`: what a probe asks that does not speak gRPC, or not over TLS.

import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { HealthClient } from "../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/health/v1/health_pb.ts";
import { type Config, formatAddress } from "./config.ts";

const PATIENCE_MS = 3_000;

/** Asks the service of these settings, on this machine, for its health, says it, and answers whether it is SERVING. */
export async function checkHealth(
  { listen, access }: Pick<Config, "listen" | "access">,
  say: (text: string) => void,
): Promise<boolean> {
  const address = formatAddress({ ...listen, host: reachable(listen.host) });
  // Only the health is asked, and no secret sent: a certificate that is about to change must not make it look ill.
  const channel =
    access.tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(null, null, null, { rejectUnauthorized: false });
  // An address is no server name.
  const options = { "grpc.ssl_target_name_override": "localhost", "grpc.enable_http_proxy": 0 };
  const client = new HealthClient(address, channel, options);
  try {
    const isServing = (await ask(client)).status === ServingStatus.SERVING;
    say(`${address}: ${isServing ? "SERVING" : "NOT_SERVING"}\n`);
    return isServing;
  } catch (error) {
    say(`${address}: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    client.close();
  }
}

/** Where a service is reached that listens on all addresses. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

async function ask(client: HealthClient): Promise<HealthCheckResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HealthCheckResponse>();
  client.check(create(HealthCheckRequestSchema), { deadline: Date.now() + PATIENCE_MS }, (error, response) => {
    if (error) reject(error);
    else if (response) resolve(response);
  });
  return await promise;
}
