import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { credentials } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import {
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";

it("answers UNAVAILABLE while Postgres is killed, then goes on with everything that it acknowledged", async () => {
  await using service = await startServiceProcess();
  using client = new RegistryClient(service.address);
  const acknowledged: string[] = [];
  const reasons = new Set<string | undefined>();
  for (let patch = 0; patch < 100; patch += 1) {
    acknowledged.push((await client.registerBare("m", `1.0.${patch}`))?.version ?? "");
  }
  process.kill(await postmasterPid(service.dataDirectory), "SIGKILL");
  let patch = 100;
  const deadline = Date.now() + 30_000;
  for (let successes = 0; successes < 20 && Date.now() < deadline; patch += 1) {
    const call = client.registerBare("m", `1.0.${patch}`);
    const registered = await call.catch(() => undefined);
    if (registered === undefined) {
      const { code, reason, retryDelayMs } = await errorOf(call);
      expect({ code, retryDelayMs }).toEqual({ code: "UNAVAILABLE", retryDelayMs: 1000 });
      reasons.add(reason);
    } else {
      acknowledged.push(registered.version);
      successes += 1;
    }
  }
  for (const reason of reasons) expect(reason).toBe("DATABASE_UNAVAILABLE");
  expect(await client.listAll({ model: "m" })).toEqual(expect.arrayContaining(acknowledged));
});

it("says NOT_SERVING while Postgres is stopped in its tracks, and SERVING after it goes on", async () => {
  await using service = await startServiceProcess();
  const health = new HealthClient(service.address, credentials.createInsecure());
  const status = async () =>
    await new Promise<HealthCheckResponse_ServingStatus | undefined>((resolve, reject) => {
      health.check(create(HealthCheckRequestSchema), (error, response?: HealthCheckResponse) =>
        error === null ? resolve(response?.status) : reject(error),
      );
    });
  const patience = { timeout: 20_000 };
  await expect.poll(status, patience).toBe(HealthCheckResponse_ServingStatus.SERVING);
  const frozen = await processTree(await postmasterPid(service.dataDirectory));
  for (const pid of frozen) process.kill(pid, "SIGSTOP");
  await expect.poll(status, patience).toBe(HealthCheckResponse_ServingStatus.NOT_SERVING);
  for (const pid of frozen) process.kill(pid, "SIGCONT");
  await expect.poll(status, patience).toBe(HealthCheckResponse_ServingStatus.SERVING);
  health.close();
});

async function processTree(pid: number): Promise<number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  return [pid, ...children.map(Number)];
}

async function postmasterPid(dataDirectory: string): Promise<number> {
  const [pid] = (await readFile(join(dataDirectory, "postgres", "postmaster.pid"), "utf8")).split("\n");
  return Number(pid);
}
