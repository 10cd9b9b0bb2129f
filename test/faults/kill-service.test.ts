import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";

const WRITERS = 16;
const ROUNDS = 4;
const KILL_AFTER = 200;

let dataDirectory: string;

beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "stele-kill-"));
});

afterAll(async () => await rm(dataDirectory, { recursive: true, force: true }));

describe("kill -9 of the service during registrations", () => {
  it("loses nothing that was acknowledged, over several kills", async () => {
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const service = await startServiceProcess({ STELE_DATA_DIR: dataDirectory });
      await expectAllThere(service.address, acknowledged);
      using client = new RegistryClient(service.address);
      const before = acknowledged.size;
      let isKilled = false;
      const write = async (writer: number) => {
        for (let patch = 0; !isKilled; patch += 1) {
          const version = `${round}.${writer}.${patch}`;
          // The call that the kill cuts short fails; what it stored or not is not promised.
          const registered = await client.registerBare("killed", version).catch(() => undefined);
          if (registered !== undefined) acknowledged.set(version, registered.digest);
          if (!isKilled && acknowledged.size - before >= KILL_AFTER) {
            isKilled = true;
            await service.kill();
          }
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      expect(acknowledged.size - before).toBeGreaterThanOrEqual(KILL_AFTER);
    }
    await using service = await startServiceProcess({ STELE_DATA_DIR: dataDirectory });
    await expectAllThere(service.address, acknowledged);
    using client = new RegistryClient(service.address);
    for (const version of [...acknowledged.keys()].slice(-20)) {
      expect(await errorOf(client.registerBare("killed", version))).toMatchObject({
        reason: "VERSION_ALREADY_EXISTS",
        metadata: { identical: "true", existing_digest: acknowledged.get(version) },
      });
    }
  }, 120_000);
});

async function expectAllThere(address: string, acknowledged: ReadonlyMap<string, string>): Promise<void> {
  if (acknowledged.size === 0) return;
  using client = new RegistryClient(address);
  const pages = await Array.fromAsync(client.list({ model: "killed" }));
  const stored = new Map(
    pages.flatMap(({ versions }) => versions.map(({ modelVersion }) => [modelVersion?.version, modelVersion?.digest])),
  );
  for (const [version, digest] of acknowledged) expect(stored.get(version), version).toBe(digest);
}
