import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import { HealthCheckRequestSchema } from "../../gen/health/v1/health_pb.ts";
import { Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import { errorOf, type RpcError, readError } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";

const versions = Array.from({ length: 40 }, (_, patch) => `1.0.${patch}`);
// Large enough that the client's window fills and the stream waits for its reader.
const artifacts = Array.from({ length: 100 }, (_, index) => ({ uri: `s3://${index}/${"x".repeat(2000)}` }));

it.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends streams resumably, exits with 0 and stops the database",
  async (signal) => {
    await using service = await startServiceProcess();
    using client = new RegistryClient(service.address);
    for (const value of versions) {
      await client.register({ model: "m", number: { case: "version", value }, metadata: { artifacts } });
    }
    // A watcher never ends by itself; it must not hold the process.
    const health = new HealthClient(service.address, credentials.createInsecure());
    health
      .watch(create(HealthCheckRequestSchema))
      .on("error", () => undefined)
      .on("data", () => undefined);

    const seen: string[] = [];
    let pageToken = "";
    let error: RpcError | undefined;
    let exit: Promise<number> | undefined;
    try {
      for await (const page of client.list({ model: "m", order: Order.LOWEST_FIRST, pageSize: 1 })) {
        seen.push(...versionsOf(page));
        pageToken = page.nextPageToken;
        exit ??= service.stop(signal);
      }
    } catch (thrown) {
      error = readError(thrown as Parameters<typeof readError>[0]);
    }
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN", retryDelayMs: 1000 });
    expect(await exit).toBe(0);
    health.close();
    expect(seen.length).toBeLessThan(versions.length);
    expect(pageToken).not.toBe("");

    await using restarted = await startServiceProcess({ STELE_DATA_DIR: service.dataDirectory });
    using next = new RegistryClient(restarted.address);
    const rest = await next.listAll({ model: "m", order: Order.LOWEST_FIRST, pageToken });
    expect([...seen, ...rest]).toEqual(versions);
  },
);

it("refuses a second service on the same data and names the first", async () => {
  await using first = await startServiceProcess();
  const second = startServiceProcess({ STELE_DATA_DIR: first.dataDirectory });
  await expect(second).rejects.toThrow(new RegExp(`stele: .*\\b${first.pid}\\b.*${first.address}`));
  using client = new RegistryClient(first.address);
  expect(await errorOf(client.getExact("m", "1.0.0"))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
});
