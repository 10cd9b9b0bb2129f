import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_health_v1_health } from "../../gen/health/v1/health_pb.ts";
import { file_stele_v1_model_registry_service } from "../../gen/stele/v1/model_registry_service_pb.ts";

/**
 * Answers grpc.reflection v1 and v1alpha. google/rpc/error_details.proto is served too, although nothing
 * imports it, so that grpcurl can print the details of errors.
 */
export function addReflection(server: Server): void {
  const files = withImports([
    file_stele_v1_model_registry_service,
    file_health_v1_health,
    file_google_rpc_error_details,
  ]);
  const fileDescriptorProtos = files.map(({ proto }) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)));
  // ReflectionService reads nothing but these bytes of the entries of a package definition.
  const definition = { stele: { fileDescriptorProtos } } as unknown as ConstructorParameters<
    typeof ReflectionService
  >[0];
  new ReflectionService(definition).addToServer(server);
}

function withImports(files: readonly DescFile[]): DescFile[] {
  const all = new Map<string, DescFile>();
  const visit = (file: DescFile) => {
    for (const dependency of file.dependencies) visit(dependency);
    all.set(file.name, file);
  };
  files.forEach(visit);
  return [...all.values()];
}
