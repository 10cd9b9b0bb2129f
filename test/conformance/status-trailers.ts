import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { StatusFault } from "./cases.ts";

/** The trailers that carry a status, with an ErrorInfo where it has a reason and a RetryInfo where it has a delay. */
export function toTrailers({ status: name, message = "", ...fault }: StatusFault): Record<string, string> {
  const code = Object.entries(status).find(([key]) => key === name)?.[1];
  if (typeof code !== "number") throw new Error(`${name} is no status code`);
  const details = [...errorInfo(fault), ...retryInfo(fault)];
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details }));
  return {
    "grpc-status": String(code),
    "grpc-message": encodeURIComponent(message),
    ...(details.length > 0 && { "grpc-status-details-bin": Buffer.from(bytes).toString("base64") }),
  };
}

function errorInfo({ reason, domain = "stele", metadata = {} }: Omit<StatusFault, "status">): Any[] {
  return reason === undefined ? [] : [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain, metadata }))];
}

function retryInfo({ retryDelayMs }: Omit<StatusFault, "status">): Any[] {
  if (retryDelayMs === undefined) return [];
  return [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) }))];
}
