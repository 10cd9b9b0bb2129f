// Random sequences of calls against a model of the registry (test/support/registry-model.ts): every answer is compared,
// and at the end everything that is listed. Then the same calls from many clients at once, of which the answers must
// fit together.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Order } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { ModelVersion } from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryRegistration, dense, toRequest } from "../support/arbitrary-registration.ts";
import { RegistryClient, versionsOf } from "../support/registry-client.ts";
import {
  compareVersions,
  type Entry,
  type PlainRegistration,
  type Refusal,
  RegistryModel,
} from "../support/registry-model.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

type Command = fc.AsyncCommand<RegistryModel, Session>;

/** A client, and what it has sent. */
interface Session {
  readonly client: RegistryClient;
  readonly requestIds: readonly string[];
  readonly sent: PlainRegistration[];
}

function command(name: string, args: object, run: (model: RegistryModel, session: Session) => Promise<void>): Command {
  return { check: () => true, run, toString: () => `${name} ${JSON.stringify(args)}` };
}

type Answer = { readonly record: ModelVersion } | { readonly refusal: Refusal };

async function send(client: RegistryClient, names: readonly string[], plain: PlainRegistration): Promise<Answer> {
  const call = client.register(toRequest(names, plain));
  const record = await call.catch(() => undefined);
  if (record !== undefined) return { record };
  const { reason = "", metadata } = await errorOf(call);
  return { refusal: { reason, metadata } };
}

/** Registers, and compares with what the model says. */
async function register(model: RegistryModel, { client }: Session, plain: PlainRegistration): Promise<void> {
  const expected = model.expect(plain);
  const answer = await send(client, model.names, plain);
  if (expected.kind === "refused") {
    expect(answer).toEqual({ refusal: expected.refusal });
    return;
  }
  if (!("record" in answer)) throw new Error(`refused: ${JSON.stringify(answer)}; expected ${expected.kind}`);
  const { record } = answer;
  if (expected.kind === "repeated" && !plain.validateOnly) {
    expect(record).toEqual(expected.entry.record);
    return;
  }
  expect(record).toMatchObject({
    model: model.names[plain.model],
    version: expected.kind === "repeated" ? expected.entry.version : expected.version,
    digest:
      expected.kind === "repeated" ? expected.entry.record.digest : expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    registeredBy: "",
    metadata: toRequest(model.names, plain).metadata,
  });
  expect(record.registeredAt === undefined).toBe(plain.validateOnly);
  if (expected.kind === "stored") model.add({ version: expected.version, registration: plain, record });
}

function registerCommand(plain: PlainRegistration, requestId: number | undefined): Command {
  return command("register", { ...plain, requestId }, async (model, session) => {
    const identified = { ...plain, requestId: session.requestIds[requestId ?? -1] ?? "" };
    if (identified.requestId !== "") session.sent.push(identified);
    await register(model, session, identified);
  });
}

function repeatCommand(place: number, change: Partial<PlainRegistration>): Command {
  return command("repeat", { place, ...change }, async (model, session) => {
    const earlier = session.sent[place % session.sent.length];
    if (earlier !== undefined) await register(model, session, { ...earlier, ...change });
  });
}

function notFound(model: RegistryModel, index: number, version: string): Refusal {
  const name = model.names[index] ?? "";
  if (model.entries(index).length === 0) return { reason: "MODEL_NOT_FOUND", metadata: { model: name } };
  return { reason: "VERSION_NOT_FOUND", metadata: { model: name, version } };
}

function getCommand(index: number, version: string): Command {
  return command("get", { index, version }, async (model, { client }) => {
    const entry = model.find(index, version);
    const call = client.getExact(model.names[index] ?? "", version);
    if (entry !== undefined) expect(await call).toEqual(entry.record);
    else expect(await errorOf(call)).toMatchObject(notFound(model, index, version));
  });
}

interface ListArguments {
  readonly index: number;
  readonly order: Order;
  readonly limit: number;
  readonly pageSize: number;
  /** After which page the listing is resumed, and in pages of which size. */
  readonly resume: { readonly page: number; readonly pageSize: number };
}

function listCommand(args: ListArguments): Command {
  return command("list", args, async (model, { client }) => {
    const { index, order, limit, pageSize, resume } = args;
    const request = { model: model.names[index] ?? "", order, limit };
    const lowestFirst = model.entries(index).map(({ record }) => record);
    const ordered = order === Order.LOWEST_FIRST ? lowestFirst : lowestFirst.toReversed();
    const expected = ordered.slice(0, limit === 0 ? undefined : limit);
    const listing = Array.fromAsync(client.list({ ...request, pageSize }));
    if (lowestFirst.length === 0) {
      expect(await errorOf(listing)).toMatchObject(notFound(model, index, ""));
      return;
    }
    const pages = await listing;
    expect(pages.flatMap(({ versions }) => versions.map(({ modelVersion }) => modelVersion))).toEqual(expected);
    expect(pages).toHaveLength(pageSize === 0 ? 1 : Math.ceil(expected.length / pageSize));
    const lastOf = (count: number) => pages.slice(0, count).at(-1)?.nextPageToken ?? "";
    expect(lastOf(pages.length)).toBe("");
    const count = resume.page % pages.length;
    const rest = await client.listAll({ ...request, pageSize: resume.pageSize, pageToken: lastOf(count) });
    expect(rest).toEqual(pages.slice(count).flatMap(versionsOf));
  });
}

const modelIndex = () => fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, { arbitrary: fc.constant(1), weight: 1 });
const change = (): fc.Arbitrary<Partial<PlainRegistration>> =>
  fc.oneof(
    fc.constant({}),
    fc.constant({ validateOnly: true }),
    fc.constantFrom({ description: "" }, { description: "changed" }),
    arbitraryRegistration().map(({ number }) => ({ number })),
  );

const registrations = () =>
  fc
    .tuple(arbitraryRegistration(), fc.option(fc.nat(7), { nil: undefined, freq: 2 }))
    .map((args) => registerCommand(...args));

const commands = () => [
  registrations(),
  registrations(),
  registrations(),
  registrations(),
  fc.tuple(fc.nat(), change()).map((args) => repeatCommand(...args)),
  fc.tuple(fc.nat(), change()).map((args) => repeatCommand(...args)),
  fc.tuple(modelIndex(), dense()).map((args) => getCommand(...args)),
  fc
    .record({
      index: modelIndex(),
      order: fc.constantFrom(Order.UNSPECIFIED, Order.HIGHEST_FIRST, Order.LOWEST_FIRST),
      limit: fc.nat(6),
      pageSize: fc.nat(4),
      resume: fc.record({ page: fc.nat(20), pageSize: fc.nat(4) }),
    })
    .map(listCommand),
];

describe("the service agrees with a model of it", () => {
  it("in every sequence of calls", async () => {
    const property = fc.asyncProperty(fc.commands(commands(), { maxCommands: 80, size: "max" }), async (sequence) => {
      const names = [uniqueModel(), uniqueModel("base")];
      const model = new RegistryModel(names);
      const requestIds = Array.from({ length: 8 }, () => randomUUID());
      const session: Session = { client: service.client, requestIds, sent: [] };
      await fc.asyncModelRun(() => ({ model, real: session }), sequence);
      for (const [index, name] of names.entries()) {
        const stored = model.entries(index).map(({ version }) => version);
        if (stored.length === 0) continue;
        expect(await service.client.listAll({ model: name, order: Order.LOWEST_FIRST })).toEqual(stored);
      }
    });
    // Biased, most sequences are of a few calls.
    await fc.assert(property, { numRuns: 40, unbiased: true });
  });

  it("in what 8 clients at once are told", async () => {
    const registration = () => arbitraryRegistration({ line: "3" }).map((plain) => ({ ...plain, model: 0 }));
    const calls = fc
      .array(fc.tuple(registration(), fc.option(fc.nat(3))), { minLength: 12, maxLength: 20 })
      .map((plan) => {
        return Object.assign(plan, { [fc.toStringMethod]: () => `${plan.length} calls` });
      });
    const property = fc.asyncProperty(fc.array(calls, { minLength: 8, maxLength: 8 }), async (plans) => {
      const names = [uniqueModel(), uniqueModel("base")];
      const requestIds = Array.from({ length: 4 }, () => randomUUID());
      await service.client.registerBare(names[0] ?? "", "3.0.0");
      const run = async (plan: (typeof plans)[number]) => {
        using client = new RegistryClient(service.address);
        const told: Told[] = [];
        for (const [plain, id] of plan) {
          const registration = { ...plain, requestId: requestIds[id ?? -1] ?? "" };
          told.push({ registration, answer: await send(client, names, registration) });
        }
        return told;
      };
      const told = (await Promise.all(plans.map(run))).flat();
      await checkTold(names, told);
    });
    await fc.assert(property, { numRuns: 10, endOnFailure: true });
  });
});

interface Told {
  readonly registration: PlainRegistration;
  readonly answer: Answer;
}

/** Compares what each client was told with what is there afterwards. */
async function checkTold(names: readonly string[], told: readonly Told[]): Promise<void> {
  const pages = await Array.fromAsync(service.client.list({ model: names[0] ?? "", order: Order.LOWEST_FIRST }));
  const listed = pages.flatMap(({ versions }) => versions.map(({ modelVersion }) => modelVersion));
  const byVersion = new Map(listed.map((record) => [record?.version ?? "", record]));
  const stored = new Map<string, Entry[]>();
  for (const { registration, answer } of told) {
    if ("refusal" in answer) checkRefusal(registration, answer.refusal, byVersion);
    else if (!registration.validateOnly) {
      const { version } = answer.record;
      expect(answer.record).toEqual(byVersion.get(version));
      stored.set(version, [...(stored.get(version) ?? []), { version, registration, record: answer.record }]);
    }
  }
  // Nothing that was acknowledged is missing, and nothing is there that was not.
  expect(new Set([...stored.keys(), "3.0.0"])).toEqual(new Set(byVersion.keys()));
  // A second acknowledgement of a version repeats the first by its request id.
  for (const entries of stored.values()) {
    const ids = new Set(entries.map(({ registration }) => registration.requestId));
    expect(ids.size).toBe(1);
    if (ids.has("")) expect(entries).toHaveLength(1);
  }
  const idsOf = [...stored.values()].map(([entry]) => entry?.registration.requestId ?? "").filter((id) => id !== "");
  expect(new Set(idsOf).size).toBe(idsOf.length);
  checkDense([...byVersion.keys()].filter((version) => version.startsWith("3.")));
}

const expectedReasons = ["VERSION_ALREADY_EXISTS", "REQUEST_ID_REUSED", "DEPENDENCY_NOT_FOUND", "INVALID_REQUEST"];

function checkRefusal(
  { number }: PlainRegistration,
  { reason, metadata }: Refusal,
  listed: ReadonlyMap<string, ModelVersion | undefined>,
): void {
  expect(expectedReasons).toContain(reason);
  if (metadata["existing_version"] === undefined) return;
  const existing = listed.get(metadata["existing_version"]);
  expect(existing).toBeDefined();
  if (reason !== "VERSION_ALREADY_EXISTS") return;
  expect(existing?.digest).toBe(metadata["existing_digest"]);
  if (typeof number !== "string")
    throw new Error(`an increment was told that its number ${existing?.version} is taken`);
  expect(compareVersions(number, existing?.version ?? "")).toBe(0);
}

/** Each release is the next of some level after the one before, and each train counts from 1. */
function checkDense(versions: readonly string[]): void {
  const releases = versions.filter((version) => !version.includes("-"));
  for (const [at, version] of releases.slice(1).entries()) {
    const [, minor = 0, patch = 0] = (releases[at] ?? "").split(".").map(Number);
    expect([`3.${minor}.${patch + 1}`, `3.${minor + 1}.0`]).toContain(version);
  }
  const trains = Map.groupBy(
    versions.filter((version) => version.includes("-")),
    (version) => version.slice(0, version.lastIndexOf(".")),
  );
  for (const [train, cars] of trains) expect(cars).toEqual(cars.map((_, at) => `${train}.${at + 1}`));
}
