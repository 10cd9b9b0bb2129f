import { create } from "@bufbuild/protobuf";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../gen/health/v1/health_pb.ts";

/** What the service at the address says of its health. */
export async function healthOf(address: string): Promise<"SERVING" | "NOT_SERVING"> {
  const client = new HealthClient(address, credentials.createInsecure());
  const { promise, resolve, reject } = Promise.withResolvers<HealthCheckResponse>();
  client.check(create(HealthCheckRequestSchema), (error: ServiceError | null, response?: HealthCheckResponse) =>
    response === undefined ? reject(error) : resolve(response),
  );
  const { status } = await promise.finally(() => client.close());
  return status === HealthCheckResponse_ServingStatus.SERVING ? "SERVING" : "NOT_SERVING";
}
