// What one client asks for concerns its own calls alone: one that is slow, large, or one too many gets a status, and the
// others their answers.

import type { IncomingHttpHeaders, SecureClientSessionOptions } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthClient } from "../../gen/health/v1/health_grpc.ts";
import { HealthCheckRequestSchema, type HealthCheckResponse } from "../../gen/health/v1/health_pb.ts";
import { ModelRegistryServiceDefinition as Methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { answerOf } from "../support/fake-registry.ts";
import {
  getVersion,
  openSession,
  openStream,
  type RawSession,
  roundTrip,
  statusOf,
  statusOver,
} from "../support/raw-session.ts";
import { versionsOf } from "../support/registry-client.ts";
import { errorOf, type RpcError, readError } from "../support/rpc-error.ts";
import { SecureClient, type SecureService, startSecureService } from "../support/secure-service.ts";
import { uniqueModel } from "../support/test-service.ts";

let plain: SecureService;

beforeAll(async () => {
  plain = await startSecureService({});
});

afterAll(async () => await plain[Symbol.asyncDispose]());

it("ends a call whose message does not arrive whole", async () => {
  const parts = [
    [Methods.getVersion.path, ""],
    [Methods.listVersions.path, ""],
    [Methods.getVersion.path, getVersion.subarray(0, 3)],
    [Methods.getVersion.path, getVersion.subarray(0, 10)],
    // Whole, but there could be another one.
    [Methods.getVersion.path, getVersion],
  ] as const;
  await using session = await sessionOf(plain);
  const answers = parts.map(async ([path, bytes]) => {
    const stream = openStream(session.session, { ":path": path });
    if (bytes.length > 0) stream.write(bytes);
    return errorIn(await statusOf(stream));
  });
  expect(await Promise.all(answers)).toEqual(
    parts.map(() => ({
      code: "DEADLINE_EXCEEDED",
      message: "the request message did not arrive whole within 30 s; send it at once",
      reason: "REQUEST_TIMEOUT",
      domain: "stele",
      metadata: { seconds: "30" },
      violations: [],
      resource: undefined,
      retryDelayMs: undefined,
    })),
  );
});

it.each([
  ["one header of 70 000 bytes", 1, 70_000],
  ["headers of 160 000 bytes together", 16, 10_000],
  ["140 headers", 140, 1],
])("refuses a call with %s, and lives", async (_what, count, bytes) => {
  await using other = await sessionOf(plain);
  await using large = await sessionOf(plain, { maxSendHeaderBlockLength: 1_000_000 });
  // No character that HPACK would shorten.
  const headers = Array.from({ length: count }, (_, index) => [`x-${index}`, "~".repeat(bytes)]);
  await expect(statusOf(openStream(large.session, Object.fromEntries(headers)))).rejects.toThrow();
  expect(await statusOver(other.session)).toBe("5");
});

describe("more than 1,000 calls of a connection", () => {
  it("wait for their turn", async () => {
    await using client = await sessionOf(plain);
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(1000);
    const unfinished = Array.from({ length: 1000 }, () => openStream(client.session));
    let answered = 0;
    const waiting = Array.from({ length: 50 }, async () => {
      const status = await statusOver(client.session);
      answered += 1;
      return status;
    });
    await roundTrip(client.session);
    await roundTrip(client.session);
    expect(answered).toBe(0);
    unfinished[0]?.end(getVersion);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["5"]));
  });

  it("do not fail because others are cancelled", async () => {
    const model = uniqueModel();
    using client = new SecureClient(plain.address);
    for (const version of ["1.0.0", "2.0.0", "3.0.0"]) await client.registerBare(model, version);
    const read = async (maxPages: number) => {
      const seen: string[] = [];
      for await (const page of client.list({ model, pageSize: 1 })) {
        seen.push(...versionsOf(page));
        if (seen.length === maxPages) break;
      }
      return seen;
    };
    const listings = await Promise.all(Array.from({ length: 75 }, () => Promise.all([read(1), read(Infinity)])));
    expect(listings).toEqual(listings.map(() => [["3.0.0"], ["3.0.0", "2.0.0", "1.0.0"]]));
  });
});

describe("more calls in flight than the limit", () => {
  it.each([
    ["calls", "STELE_MAX_CALLS", Methods.getVersion.path, getNothing, listNothing],
    ["listings", "STELE_MAX_LISTINGS", Methods.listVersions.path, listNothing, getNothing],
  ])("of the kind %s are refused, while others are answered", async (kind, setting, path, same, other) => {
    await using service = await startSecureService({ settings: { [setting]: "3" } });
    using client = new SecureClient(service.address);
    expect((await errorOf(same(client))).reason).toBe("MODEL_NOT_FOUND");
    await using holder = await sessionOf(service);
    const held = Array.from({ length: 3 }, () => openStream(holder.session, { ":path": path }));
    await expect.poll(async () => (await errorOf(same(client))).reason).toBe("TOO_MANY_CALLS");
    expect(await errorOf(same(client))).toEqual({
      code: "RESOURCE_EXHAUSTED",
      message: `this replica has 3 ${kind} in flight and takes no more; try again shortly, with backoff`,
      reason: "TOO_MANY_CALLS",
      domain: "stele",
      metadata: { kind, limit: "3" },
      violations: [],
      resource: undefined,
      retryDelayMs: 1000,
    });
    expect((await errorOf(other(client))).reason).toBe("MODEL_NOT_FOUND");
    expect(await checkHealth(service)).toMatchObject({ $typeName: "grpc.health.v1.HealthCheckResponse" });
    held[0]?.close();
    await expect.poll(async () => (await errorOf(same(client))).reason).toBe("MODEL_NOT_FOUND");
  });

  it("are none when their connection is gone, or when they were refused", async () => {
    const policy = { grants: [] };
    const files = { STELE_POLICY_FILE: policy, STELE_TOKENS_FILE: { tokens: [] } };
    await using service = await startSecureService({ files, settings: { STELE_MAX_CALLS: "2" } });
    using stranger = new SecureClient(service.address);
    for (let call = 0; call < 10; call += 1) expect(await reasonOf(stranger)).toBe("CREDENTIALS_MISSING");
    await using open = await startSecureService({ settings: { STELE_MAX_CALLS: "2" } });
    using client = new SecureClient(open.address);
    const { session } = await sessionOf(open);
    for (let call = 0; call < 2; call += 1) openStream(session);
    await expect.poll(async () => await reasonOf(client)).toBe("TOO_MANY_CALLS");
    session.destroy();
    await expect.poll(async () => await reasonOf(client)).toBe("MODEL_NOT_FOUND");
  });
});

async function getNothing(client: SecureClient): Promise<unknown> {
  return await client.getExact("m", "1.0.0");
}

async function listNothing(client: SecureClient): Promise<unknown> {
  return await client.listAll({ model: "m" });
}

/** The error that the headers of an answer tell. */
function errorIn(headers: IncomingHttpHeaders): RpcError {
  const details = decodeURIComponent(String(headers["grpc-message"]));
  const metadata = Metadata.fromHttp2Headers(headers);
  return readError(Object.assign(new Error(), { code: Number(headers["grpc-status"]), details, metadata }));
}

async function checkHealth({ address }: SecureService): Promise<HealthCheckResponse> {
  const client = new HealthClient(address, credentials.createInsecure());
  try {
    return await answerOf<HealthCheckResponse>((done) => client.check(create(HealthCheckRequestSchema), done));
  } finally {
    client.close();
  }
}

async function sessionOf({ address }: SecureService, options: SecureClientSessionOptions = {}): Promise<RawSession> {
  return await openSession(`http://${address}`, options);
}

async function reasonOf(client: SecureClient): Promise<string | undefined> {
  return (await errorOf(getNothing(client))).reason;
}
