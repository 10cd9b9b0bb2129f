import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Order, Prereleases, View } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

const WRITERS = 16;
const ROUNDS = 3;

let service: TestService;

beforeAll(async () => {
  service = await useService();
});

afterAll(async () => await service[Symbol.asyncDispose]());

/** Registers versions all over the order until it is told to stop; answers each once it is acknowledged. */
async function write(
  model: string,
  writer: number,
  { acknowledged, stop }: { acknowledged: Set<string>; stop: AbortSignal },
) {
  using client = new RegistryClient(service.address);
  for (let round = 0; !stop.aborted; round += 1) {
    const core = `${(round * 7) % 5}.${(round * 13) % 11}.${round * WRITERS + writer}`;
    const version = round % 3 === 0 ? `${core}-rc.${writer}` : core;
    await client.registerBare(model, version);
    acknowledged.add(version);
  }
}

const listings = [
  { order: Order.HIGHEST_FIRST },
  { order: Order.LOWEST_FIRST, pageSize: 7 },
  { order: Order.HIGHEST_FIRST, range: ">=1 <4", prereleases: Prereleases.INCLUDE },
  { order: Order.LOWEST_FIRST, prereleases: Prereleases.EXCLUDE },
  { order: Order.HIGHEST_FIRST, view: View.BASIC, pageSize: 50 },
  { order: Order.LOWEST_FIRST, filter: "!version.contains('rc')" },
];

function isListed(version: string, listing: (typeof listings)[number]): boolean {
  const isRelease = !version.includes("-");
  if (listing.range !== undefined) return /^[123]\./.test(version) || version.startsWith("4.0.0-");
  return isRelease || (listing.prereleases === undefined && listing.filter === undefined);
}

/** A whole listing, broken and resumed by token after every few messages. */
async function listInParts(model: string, listing: (typeof listings)[number]): Promise<string[]> {
  const seen: string[] = [];
  for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
    let messages = 0;
    let next: string | undefined;
    for await (const page of service.client.list({ model, ...listing, pageToken })) {
      seen.push(...page.versions.map(({ modelVersion }) => modelVersion?.version ?? ""));
      next = page.nextPageToken === "" ? undefined : page.nextPageToken;
      messages += 1;
      if (messages === 5) break;
    }
    pageToken = next;
  }
  return seen;
}

describe(`while ${WRITERS} writers register`, () => {
  it("a listing delivers every version acknowledged before it exactly once, and no other twice", async () => {
    const model = uniqueModel();
    const acknowledged = new Set<string>();
    const stopping = new AbortController();
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      write(model, writer, { acknowledged, stop: stopping.signal }),
    );
    while (acknowledged.size < 300) await Promise.race([...writers, new Promise(setImmediate)]);
    let expected = 0;
    for (const [index, listing] of Array.from({ length: ROUNDS }, () => listings)
      .flat()
      .entries()) {
      const before = [...acknowledged].filter((version) => isListed(version, listing));
      const seen =
        index % 2 === 0 ? await service.client.listAll({ model, ...listing }) : await listInParts(model, listing);
      const delivered = new Set(seen);
      expect(delivered.size).toBe(seen.length);
      expect(before.filter((version) => !delivered.has(version))).toEqual([]);
      expected += before.length;
    }
    stopping.abort();
    await Promise.all(writers);
    expect(expected).toBeGreaterThan(ROUNDS * listings.length * 100);
    expect(new Set(await service.client.listAll({ model }))).toEqual(acknowledged);
  }, 120_000);
});
