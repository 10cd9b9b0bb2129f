import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import { startService } from "../../src/server.ts";
import { RegistryClient } from "./registry-client.ts";
import { createTestDatabase } from "./test-database.ts";

/** A service to test, and a client of it. */
export interface TestService extends AsyncDisposable {
  readonly address: string;
  readonly client: RegistryClient;
}

/** The service at STELE_ADDRESS, or one of its own in this process, on a fresh database, of which it keeps nothing. */
export async function useService(): Promise<TestService> {
  await using stack = new AsyncDisposableStack();
  const address = process.env["STELE_ADDRESS"] ?? (await startOwn(stack));
  const client = stack.use(new RegistryClient(address));
  const moved = stack.move();
  return { address, client, [Symbol.asyncDispose]: async () => await moved.disposeAsync() };
}

/** A model name that no other test uses, so that tests can share a service. */
export function uniqueModel(prefix = "model"): string {
  return `${prefix}-${randomUUID()}`;
}

async function startOwn(stack: AsyncDisposableStack): Promise<string> {
  const { url } = stack.use(await createTestDatabase());
  const config = readConfig({ STELE_LISTEN: "127.0.0.1:0", DATABASE_URL: url, STELE_RECORD_CACHE_MIB: "0" });
  const service = stack.use(await startService(config, pino({ level: "silent" })));
  return service.address;
}
