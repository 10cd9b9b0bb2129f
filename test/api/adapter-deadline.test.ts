import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { serveFake } from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";

const never = new Promise<never>(() => undefined);
const path = "/stele.v1.ModelRegistryService/";

it.each(["GetVersion", "ListVersions"])(
  "a deadline that passes while the handler of %s waits for the database is told with its ErrorInfo",
  async (method) => {
    await using fake = await serveFake({
      getVersion: () => never,
      // biome-ignore lint/correctness/useYield: it never gets as far.
      listVersions: async function* () {
        await never;
      },
    });
    await using raw = openRawCall(fake.address, path + method, {
      headers: { "grpc-timeout": "300m" },
      message: new Uint8Array(),
    });
    raw.stream.end();
    const trailers = await raw.trailers;
    expect(trailers["grpc-status"]).toBe(String(status.DEADLINE_EXCEEDED));
    const bytes = Buffer.from(String(trailers["grpc-status-details-bin"]), "base64");
    const [detail] = fromBinary(StatusSchema, bytes).details;
    expect(detail && anyUnpack(detail, ErrorInfoSchema)).toMatchObject({
      reason: "DEADLINE_EXCEEDED",
      domain: "stele",
    });
  },
);

it("a handler that fails after its deadline harms nobody", async () => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  await using fake = await serveFake({ getVersion: () => late });
  await using raw = openRawCall(fake.address, `${path}GetVersion`, {
    headers: { "grpc-timeout": "100m" },
    message: new Uint8Array(),
  });
  raw.stream.end();
  expect((await raw.trailers)["grpc-status"]).toBe(String(status.DEADLINE_EXCEEDED));
  // vitest fails the run on an unhandled rejection.
  reject(new Error("too late"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(fake.logged).toEqual([]);
});
