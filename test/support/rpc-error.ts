import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** Everything that a client can read of an error, in plain values that a test compares whole. */
export interface RpcError {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string>;
  /** `path: description` of each violated field. */
  readonly violations: string[];
  /** The subject of each failed precondition; undefined without PreconditionFailure. */
  readonly preconditions?: string[];
  readonly resource: string | undefined;
  readonly retryDelayMs: number | undefined;
}

/** The error that a call fails with; throws when the call succeeds. */
export async function errorOf(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => undefined,
    (reason: ServiceError) => reason,
  );
  if (error === undefined) throw new Error("the call succeeded");
  return readError(error);
}

/** What a grpc-js error says, its details decoded. */
export function readError(error: ServiceError): RpcError {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const details = Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes) : undefined;
  const info = find(details, ErrorInfoSchema);
  const resource = find(details, ResourceInfoSchema);
  const retryDelay = find(details, RetryInfoSchema)?.retryDelay;
  const preconditions = find(details, PreconditionFailureSchema)?.violations;
  return {
    code: status[error.code],
    message: error.details,
    reason: info?.reason,
    domain: info?.domain,
    metadata: { ...info?.metadata },
    violations: (find(details, BadRequestSchema)?.fieldViolations ?? []).map(
      ({ field, description }) => `${field}: ${description}`,
    ),
    ...(preconditions === undefined ? {} : { preconditions: preconditions.map(({ subject }) => subject) }),
    resource: resource === undefined ? undefined : `${resource.resourceType} ${resource.resourceName}`,
    retryDelayMs: retryDelay === undefined ? undefined : durationMs(retryDelay),
  };
}

function find<Desc extends DescMessage>(details: Status | undefined, schema: Desc): MessageShape<Desc> | undefined {
  for (const any of details?.details ?? []) {
    const message = anyUnpack(any, schema);
    if (message !== undefined) return message;
  }
  return undefined;
}
