import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { getVersion, listVersions, outcomeOf, page, serveFake, versionResponse } from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";
import { errorOf } from "../support/rpc-error.ts";
import { expectNoUnhandledRejection } from "../support/unhandled-rejections.ts";

const shuttingDown = {
  code: "UNAVAILABLE",
  message: "the service is shutting down; try again",
  reason: "SHUTTING_DOWN",
  domain: "stele",
  metadata: {},
  violations: [],
  resource: undefined,
  retryDelayMs: 1000,
};

expectNoUnhandledRejection();

describe("during a drain", () => {
  it("a unary call that is under way finishes, then the calls are idle", async () => {
    const goOn = Promise.withResolvers<void>();
    const started = Promise.withResolvers<AbortSignal>();
    await using fake = await serveFake({
      getVersion: async (_request, { signal }) => {
        started.resolve(signal);
        await goOn.promise;
        return versionResponse("1.0.0");
      },
    });
    const call = getVersion(fake);
    const signal = await started.promise;
    fake.calls.drain();
    let isIdle = false;
    const idle = fake.calls.whenIdle().then(() => {
      isIdle = true;
    });
    await expect(errorOf(getVersion(fake))).resolves.toEqual(shuttingDown);
    expect({ isIdle, isAborted: signal.aborted }).toEqual({ isIdle: false, isAborted: false });
    goOn.resolve();
    await idle;
    // What is idle may be cut: the answer is on its way already.
    fake.server.forceShutdown();
    expect((await call).modelVersion?.version).toBe("1.0.0");
  });

  it("a new stream is refused", async () => {
    const handler = vi.fn(async function* () {
      yield page("1");
    });
    await using fake = await serveFake({ listVersions: handler });
    fake.calls.drain();
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: [], error: shuttingDown });
    expect(handler).not.toHaveBeenCalled();
  });

  it("a stream ends after the message under way, its source closed", async () => {
    let isClosed = false;
    await using fake = await serveFake({
      listVersions: async function* () {
        try {
          for (let n = 1; n < 10_000; n += 1) {
            yield page(`${n}`);
            await sleep(1);
          }
        } finally {
          isClosed = true;
        }
      },
    });
    const call = listVersions(fake);
    call.once("data", () => fake.calls.drain());
    const { tokens, error } = await outcomeOf(call);
    expect(error).toEqual(shuttingDown);
    expect(tokens).toEqual(tokens.map((_, index) => `${index + 1}`));
    await fake.calls.whenIdle();
    expect(isClosed).toBe(true);
  });

  it("a stream whose handler waits for something ends at once when that heeds the signal", async () => {
    await using fake = await serveFake({
      listVersions: async function* (_request, { signal }) {
        yield page("1");
        await sleep(60_000, undefined, { signal });
      },
    });
    const call = listVersions(fake);
    call.once("data", () => fake.calls.drain());
    expect(await outcomeOf(call)).toEqual({ tokens: ["1"], error: shuttingDown });
    expect(fake.logged).toEqual([]);
  });

  it("a stream that waits for its client to read ends at once, and its client gets what was under way", async () => {
    let [yielded, isClosed] = [0, false];
    await using fake = await serveFake({
      listVersions: async function* () {
        try {
          while (yielded < 1000) {
            yielded += 1;
            yield page(`${yielded}`, 256 * 1024);
          }
        } finally {
          isClosed = true;
        }
      },
    });
    const path = ModelRegistryServiceDefinition.listVersions.path;
    await using raw = openRawCall(fake.address, path, { message: new Uint8Array() });
    raw.stream.end();
    // The first is under way, stuck, and the second is not made before it is gone.
    await vi.waitFor(() => expect(yielded).toBe(1), 5000);
    fake.calls.drain();
    await vi.waitFor(() => expect(isClosed).toBe(true), 5000);
    raw.stream.resume();
    expect(await raw.trailers).toMatchObject({ "grpc-status": `${status.UNAVAILABLE}` });
    await fake.calls.whenIdle();
    expect(yielded).toBe(1);
  });

  it("a server that served nothing is idle", async () => {
    await using fake = await serveFake({});
    fake.calls.drain();
    await fake.calls.whenIdle();
  });
});

it("calls are not idle before a drain", async () => {
  await using fake = await serveFake({ getVersion: async () => versionResponse("1.0.0") });
  await getVersion(fake);
  const idle = vi.fn();
  const whenIdle = fake.calls.whenIdle().then(idle);
  await getVersion(fake);
  expect(idle).not.toHaveBeenCalled();
  fake.calls.drain();
  await whenIdle;
});
