import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { RegistryClient } from "../support/registry-client.ts";

const TIMEOUT_MS = 10_000;
const model = "fuzz/probe";

/** A client that keeps every rule, among all the others. */
export class Probe implements Disposable {
  readonly #client: RegistryClient;
  #next = 0;

  constructor(address: string) {
    this.#client = new RegistryClient(address);
  }

  /** What is wrong with the answers to a registration and to reading it in two ways; never rejects. */
  async findFault(): Promise<string | undefined> {
    this.#next += 1;
    const work = this.#registerAndRead(`1.0.${this.#next}`).catch((error: unknown) => `a normal call fails: ${error}`);
    const timer = new AbortController();
    const late = sleep(TIMEOUT_MS, "a normal call takes more than 10 s", { signal: timer.signal });
    const fault = await Promise.race([work, late.catch(() => undefined)]);
    timer.abort();
    return fault;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #registerAndRead(version: string): Promise<string | undefined> {
    const registered = await this.#client.registerBare(model, version);
    const got = await this.#client.getExact(model, version);
    const listed = await this.#client.listAll({ model, limit: 2 });
    if (registered?.version !== version) return `registering ${version} answers ${registered?.version}`;
    if (!isDeepStrictEqual(got, registered)) return `getting ${version} answers another record than registering it`;
    return listed[0] === version ? undefined : `listing answers ${listed.join(" ")}, and ${version} is the highest`;
  }
}
