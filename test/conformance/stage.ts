import pLimit from "p-limit";
import { inject } from "vitest";
import { RegistryClient } from "../support/registry-client.ts";
import type { ConformanceCase } from "./cases.ts";
import { runCase } from "./driver.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { RestartableService } from "./restartable-service.ts";
import { type Command, Runner } from "./runner.ts";

/** How many versions are registered at a time before a case begins. */
const SEEDS_AT_ONCE = 64;

/** Where the cases of one language are run: its runner, its way to the services, and what breaks there. */
export class Stage implements AsyncDisposable {
  readonly #language: string;
  readonly #runner: Runner;
  readonly #proxy: FaultProxy;
  readonly #names: ReadonlyMap<string, string>;
  #restartable: RestartableService | undefined;

  private constructor(
    language: string,
    runner: Runner,
    { proxy, names }: { proxy: FaultProxy; names: Map<string, string> },
  ) {
    this.#language = language;
    this.#runner = runner;
    this.#proxy = proxy;
    this.#names = names;
  }

  /** Starts the runner and the proxy. */
  static async open(language: string, command: Command): Promise<Stage> {
    const proxy = new FaultProxy(inject("service"));
    const names = new Map(Object.entries({ ...inject("names"), $proxy: await proxy.listen() }));
    return new Stage(language, new Runner(command), { proxy, names });
  }

  /** Runs a case; one that stops its service has a service of its own, called $service. */
  async run(conformanceCase: ConformanceCase): Promise<void> {
    const restarts = conformanceCase.steps.some((step) => "service" in step);
    const service = restarts ? await this.#useRestartable() : undefined;
    const address = (await service?.address()) ?? inject("service");
    await runCase(conformanceCase, {
      language: this.#language,
      runner: this.#runner,
      proxy: this.#proxy,
      names: new Map([...this.#names, ["$service", address]]),
      seed: async (model, versions, descriptionBytes) => await seed(address, { model, versions, descriptionBytes }),
      control: async (action) => await service?.control(action),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#restartable);
    stack.use(this.#proxy);
    stack.use(this.#runner);
  }

  async #useRestartable(): Promise<RestartableService> {
    this.#restartable ??= await RestartableService.start();
    return this.#restartable;
  }
}

interface Seeds {
  readonly model: string;
  readonly versions: readonly string[];
  readonly descriptionBytes: number;
}

async function seed(address: string, { model, versions, descriptionBytes }: Seeds): Promise<void> {
  using client = new RegistryClient(address);
  const limit = pLimit(SEEDS_AT_ONCE);
  const metadata = descriptionBytes > 0 ? { metadata: { description: "x".repeat(descriptionBytes) } } : {};
  const register = async (version: string) =>
    await client.register({ model, number: { case: "version", value: version }, ...metadata });
  await Promise.all(versions.map((version) => limit(register, version)));
}
