import { create, fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { type TestService, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

describe("grpc.health.v1", () => {
  it.each(["", "stele.v1.ModelRegistryService"])("says that %j is serving", async (name) => {
    const client = new HealthClient(service.address, credentials.createInsecure());
    const check = async () =>
      await new Promise<HealthCheckResponse | undefined>((resolve, reject) => {
        client.check(create(HealthCheckRequestSchema, { service: name }), (error, response) =>
          error === null ? resolve(response) : reject(error),
        );
      });
    // The first look at the database may still be under way.
    await expect.poll(async () => (await check())?.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
    client.close();
  });
});

describe.each(["v1", "v1alpha"])("grpc.reflection.%s", (version) => {
  it("lists the services", async () => {
    const answer = await reflect(version, 7, "");
    // ServerReflectionResponse.list_services_response [6], its service [1], its name [1].
    const names = fields(fields(answer, 6)[0], 1).map((bytes) => Buffer.from(fields(bytes, 1)[0] ?? []).toString());
    expect(names.toSorted()).toEqual(["grpc.health.v1.Health", "stele.v1.ModelRegistryService"]);
  });

  it.each([
    ["stele.v1.ModelRegistryService", "stele/v1/model_registry_service.proto"],
    ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
    ["google.rpc.PreconditionFailure", "google/rpc/error_details.proto"],
    ["grpc.health.v1.Health", "health/v1/health.proto"],
  ])("describes %s with everything that it imports", async (symbol, file) => {
    const answer = await reflect(version, 4, symbol);
    // ServerReflectionResponse.file_descriptor_response [4], its file_descriptor_proto [1].
    const files = fields(fields(answer, 4)[0], 1).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const names = files.map(({ name }) => name);
    expect(names).toContain(file);
    for (const { dependency } of files) expect(names).toEqual(expect.arrayContaining(dependency));
  });
});

// ServerReflectionRequest is a oneof of texts; its answer is taken apart by hand, to need no stubs of it.
async function reflect(version: string, field: number, text: string): Promise<Uint8Array> {
  const client = new Client(service.address, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = client.makeBidiStreamRequest(path, same, same);
  call.end(Buffer.from(new BinaryWriter().tag(field, WireType.LengthDelimited).string(text).finish()));
  const [answer] = await Array.fromAsync(call as AsyncIterable<Buffer>);
  client.close();
  if (answer === undefined) throw new Error("reflection did not answer");
  return answer;
}

function fields(bytes: Uint8Array | undefined, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes ?? new Uint8Array());
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === wanted && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, number);
  }
  return found;
}
