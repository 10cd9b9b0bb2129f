// Callers that use a service without a pause, and remember what they were told, so that it can be compared with what is
// there afterwards. A call that failed may be repeated by its caller or not; no answer may be false.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { Level, Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelVersion } from "../../gen/stele/v1/model_version_pb.ts";
import type { Database } from "../../src/store/database.ts";
import { insertRows } from "./insert-rows.ts";
import { type RegistryClient, versionsOf } from "./registry-client.ts";
import { rowOf } from "./row.ts";
import { type RpcError, readError } from "./rpc-error.ts";

const large = "large";
const largeVersions = Array.from({ length: 3000 }, (_, patch) => `1.0.${patch}`);
const many = Array.from({ length: 300 }, (_, index) => `many/${String(index).padStart(3, "0")}`);

/** Writes the models that are read under load: one that is large, and many. */
export async function seedLoad(database: Database): Promise<void> {
  await insertRows(
    database,
    largeVersions.map((version) => rowOf(large, version)),
  );
  await insertRows(
    database,
    many.map((model) => rowOf(model, "1.0.0")),
  );
}

/** What a caller does again and again. */
export type Activity = "register" | "increment" | "repeat increment" | "get" | "list" | "list models";

const everyActivity: readonly Activity[] = ["register", "increment", "repeat increment", "get", "list", "list models"];

/** A registration that was asked for, and what is known of it. */
interface Attempt {
  readonly model: string;
  /** Its metadata's description, by which it is known again. */
  readonly description: string;
  /** An unknown one may be stored once or not at all; a failed one not at all. */
  outcome: "acknowledged" | "unknown" | "failed";
  answer?: ModelVersion | undefined;
}

type Read = (pageToken: string) => AsyncIterable<{ items: string[]; nextPageToken: string }>;

/** A listing that goes on after each failure with the last token that it got. */
class Walk {
  readonly seen: string[] = [];
  #token = "";
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  /** Goes on to the end. */
  async finish(): Promise<void> {
    if (this.#hasEnded) return;
    for await (const { items, nextPageToken } of this.#read(this.#token)) {
      this.seen.push(...items);
      this.#token = nextPageToken;
    }
  }

  /** The last page came, though its status may not have. */
  get #hasEnded(): boolean {
    return this.seen.length > 0 && this.#token === "";
  }
}

/** Some callers of each activity, from `start` to `stop`. */
export class RegistryLoad {
  /** Everything that calls failed with. */
  readonly failures: RpcError[] = [];
  /** How long the longest call took. */
  longestMs = 0;
  #client: RegistryClient;
  readonly #name = randomUUID();
  readonly #attempts: Attempt[] = [];
  readonly #violations: string[] = [];
  readonly #walks = new Map<Walk, readonly string[]>();
  readonly #successes = new Map<Activity, number>();
  readonly #callers: Promise<void>[] = [];
  #isStopping = false;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  /** Starts so many callers of each activity, or of those that are given. */
  start(callers: Partial<Record<Activity, number>> | number): void {
    const counts = typeof callers === "number" ? everyActivity.map((name) => [name, callers] as const) : undefined;
    for (const [activity, count] of counts ?? (Object.entries(callers) as [Activity, number][])) {
      for (let caller = 0; caller < count; caller += 1) this.#callers.push(this.#repeat(activity, caller));
    }
  }

  /** Waits until each activity has succeeded so many times more. */
  async untilProgress(times: number): Promise<void> {
    const before = new Map(this.#successes);
    const isThere = (activity: Activity) => (this.#successes.get(activity) ?? 0) >= (before.get(activity) ?? 0) + times;
    while (![...this.#successes.keys()].every(isThere)) await sleep(10);
  }

  /** Lets each caller end its call. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#callers);
  }

  /** Whether any call failed like this, such as "UNAVAILABLE SHUTTING_DOWN, again after 1000 ms". */
  hasFailure(kind: string): boolean {
    return this.failures.some((failure) => kindOf(failure) === kind);
  }

  /** The failures of other kinds than these. */
  failuresBeside(kinds: readonly string[]): RpcError[] {
    return this.failures.filter((failure) => !kinds.includes(kindOf(failure)));
  }

  /** Compares what was answered with what the service now has, a sentence for each difference; ends open listings. */
  async findViolations(client: RegistryClient): Promise<string[]> {
    this.#client = client;
    for (const [walk, expected] of this.#walks) {
      await walk.finish();
      this.#compare(walk.seen, expected);
    }
    const byModel = Map.groupBy(this.#attempts, ({ model }) => model);
    for (const [model, attempts] of byModel) this.#judge(attempts, await this.#stored(model));
    return this.#violations;
  }

  async #stored(model: string): Promise<ModelVersion[]> {
    const pages = await Array.fromAsync(this.#client.list({ model }));
    return pages.flatMap(({ versions }) => versions.flatMap(({ modelVersion }) => modelVersion ?? []));
  }

  #judge(attempts: readonly Attempt[], stored: readonly ModelVersion[]): void {
    const rows = Map.groupBy(stored, ({ metadata }) => metadata?.description ?? "");
    for (const { model, description, outcome, answer } of attempts) {
      const [row, second] = rows.get(description) ?? [];
      rows.delete(description);
      const name = `${model} ${description}`;
      if (second !== undefined) this.#violations.push(`${name} is stored twice`);
      if (outcome === "failed" && row !== undefined) this.#violations.push(`${name} failed and is stored`);
      if (outcome !== "acknowledged") continue;
      if (row === undefined) this.#violations.push(`${name} was acknowledged as ${answer?.version} and is not there`);
      else if (row.digest !== answer?.digest) this.#violations.push(`${name} is another than was acknowledged`);
    }
    for (const description of rows.keys()) this.#violations.push(`${description} is stored and nobody asked for it`);
  }

  async #repeat(activity: Activity, caller: number): Promise<void> {
    this.#successes.set(activity, this.#successes.get(activity) ?? 0);
    const act = this.#act(activity, `${activity.replaceAll(" ", "-")}-${this.#name}-${caller}`);
    for (let turn = 0; !this.#isStopping; turn += 1) {
      try {
        await act(turn);
        this.#successes.set(activity, (this.#successes.get(activity) ?? 0) + 1);
      } catch (error) {
        await this.#note(error);
      }
    }
  }

  #act(activity: Activity, model: string): (turn: number) => Promise<void> {
    switch (activity) {
      case "register":
        return async (turn) => await this.#register(model, { case: "version", value: `1.0.${turn}` });
      case "increment":
        return async () => await this.#register(model, increment);
      case "repeat increment":
        return async () => await this.#registerAgain(model);
      case "get":
        return async (turn) => await this.#get(largeVersions[turn % largeVersions.length] ?? "");
      case "list":
        return this.#walkAgain(largeVersions, (token) => this.#listVersions(token));
      case "list models":
        return this.#walkAgain(many, (token) => this.#listModels(token));
    }
  }

  async #register(model: string, number: Number): Promise<void> {
    const attempt = this.#begin(model);
    try {
      await this.#send(attempt, { number });
    } catch (error) {
      // Of what can be stored all the same an increment is told something else.
      const isFailed = number.case === "increment" && reasonOf(error) === "DATABASE_UNAVAILABLE";
      if (isFailed) attempt.outcome = "failed";
      throw error;
    }
  }

  /** An increment with a request id, which is repeated until it succeeds. */
  async #registerAgain(model: string): Promise<void> {
    const attempt = this.#begin(model);
    const requestId = attempt.description;
    while (!this.#isStopping && attempt.outcome !== "acknowledged") {
      try {
        await this.#send(attempt, { number: increment, requestId });
      } catch (error) {
        await this.#note(error);
      }
    }
  }

  #begin(model: string): Attempt {
    const attempt: Attempt = { model, description: randomUUID(), outcome: "unknown" };
    this.#attempts.push(attempt);
    return attempt;
  }

  async #send(attempt: Attempt, rest: { number: Number; requestId?: string }): Promise<void> {
    const { model, description } = attempt;
    attempt.answer = await this.#measure(this.#client.register({ model, metadata: { description }, ...rest }));
    attempt.outcome = "acknowledged";
  }

  async #measure<T>(call: Promise<T>): Promise<T> {
    const start = performance.now();
    return await call.finally(() => {
      this.longestMs = Math.max(this.longestMs, performance.now() - start);
    });
  }

  async #note(error: unknown): Promise<void> {
    this.failures.push(readError(error as ServiceError)); // Only calls throw in an activity.
    await sleep(20);
  }

  async #get(version: string): Promise<void> {
    const answer = await this.#measure(this.#client.getExact(large, version));
    if (answer?.version !== version) this.#violations.push(`${answer?.version} was answered for ${version}`);
  }

  #walkAgain(expected: readonly string[], read: Read): () => Promise<void> {
    let walk = new Walk(read);
    this.#walks.set(walk, expected);
    return async () => {
      await this.#measure(walk.finish());
      this.#compare(walk.seen, expected);
      this.#walks.delete(walk);
      walk = new Walk(read);
      this.#walks.set(walk, expected);
    };
  }

  #compare(seen: readonly string[], expected: readonly string[]): void {
    if (seen.join() === expected.join()) return;
    this.#violations.push(
      `a listing had ${seen.length} entries, ${new Set(seen).size} different, of ${expected.length}`,
    );
  }

  async *#listVersions(pageToken: string) {
    const request = { model: large, order: Order.LOWEST_FIRST, pageSize: 50, pageToken };
    for await (const page of this.#client.list(request)) {
      yield { items: versionsOf(page), nextPageToken: page.nextPageToken };
    }
  }

  async *#listModels(pageToken: string) {
    for await (const page of this.#client.listModels({ prefix: "many/", pageSize: 10, pageToken })) {
      yield { items: page.models.map(({ name }) => name), nextPageToken: page.nextPageToken };
    }
  }
}

function kindOf({ code, reason, retryDelayMs }: RpcError): string {
  return `${code} ${reason}${retryDelayMs === undefined ? "" : `, again after ${retryDelayMs} ms`}`;
}

function reasonOf(error: unknown): string | undefined {
  return readError(error as ServiceError).reason;
}

type Number = NonNullable<Parameters<RegistryClient["register"]>[0]["number"]>;

const increment = { case: "increment", value: { level: Level.PATCH } } as const;
