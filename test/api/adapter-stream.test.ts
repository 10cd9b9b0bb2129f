import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientReadableStream } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import type { ListVersionsResponse } from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { Encoded } from "../../src/grpc/adapter.ts";
import type { CallContext } from "../../src/grpc/call-context.ts";
import { type FakeRegistry, listVersions, outcomeOf, page, serveFake } from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";
import type { RpcError } from "../support/rpc-error.ts";
import { expectNoUnhandledRejection } from "../support/unhandled-rejections.ts";

const listVersionsPath = ModelRegistryServiceDefinition.listVersions.path;
const big = 256 * 1024;

expectNoUnhandledRejection();

describe("a streaming handler", () => {
  it("sends its messages in order, then OK", async () => {
    await using fake = await serveFake({
      listVersions: async function* ({ pageSize }) {
        for (let n = 1; n <= pageSize; n += 1) yield page(`${n}`);
      },
    });
    expect(await outcomeOf(listVersions(fake, { pageSize: 100 }))).toEqual({
      tokens: Array.from({ length: 100 }, (_, index) => `${index + 1}`),
      error: undefined,
    });
  });

  it("sends bytes that are a serialized response", async () => {
    const bytes = ModelRegistryServiceDefinition.listVersions.responseSerialize(page("token"));
    await using fake = await serveFake({
      listVersions: async function* () {
        yield bytes as Encoded<ListVersionsResponse>;
        yield page("message");
      },
    });
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: ["token", "message"], error: undefined });
  });

  it("may send nothing", async () => {
    await using fake = await serveFake({ listVersions: async function* () {} });
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: [], error: undefined });
  });

  it("that throws before its first message gives its client the status", async () => {
    await using fake = await serveFake({
      listVersions: () => {
        throw new Error("select * from secrets");
      },
    });
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: [], error: internalError(fake) });
  });

  it("that throws between messages gives its client those messages, then the status", async () => {
    await using fake = await serveFake({
      listVersions: async function* () {
        yield page("1", big);
        yield page("2", big);
        throw new Error("select * from secrets");
      },
    });
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: ["1", "2"], error: internalError(fake) });
  });

  it("that yields what cannot be serialized gives its client what came before, then the status", async () => {
    const state = watched();
    await using fake = await serveFake({
      listVersions: async function* () {
        try {
          yield page("1");
          yield undefined as unknown as ListVersionsResponse;
        } finally {
          state.closed = true;
        }
      },
    });
    expect(await outcomeOf(listVersions(fake))).toEqual({ tokens: ["1"], error: internalError(fake) });
    expect(state.closed).toBe(true);
  });
});

describe("a client that reads slowly", () => {
  it("makes the handler wait, however long the stream is", async () => {
    const state = watched();
    await using fake = await serveFake({ listVersions: () => endless(state) });
    const call = listVersions(fake);
    call.on("error", () => undefined);
    // The client itself buffers sixteen messages ahead of those that were read, and one more is on each side.
    for (const read of [1, 100]) {
      for (; state.read < read; state.read += 1) await nextMessage(call);
      await settled(() => state.yielded);
      expect(state.yielded - state.read).toBeLessThanOrEqual(20);
    }
    call.cancel();
  });

  // HTTP/2 takes 64 KiB before the client reads; what does not fit is under way.
  it.each([
    ["one more than is under way, when they are small", 60 * 1024, 3],
    ["nothing but what is under way, when they are large", 256 * 1024, 1],
  ])("costs the memory of %s", async (_, sizeBytes, expected) => {
    let made = 0;
    await using fake = await serveFake({
      listVersions: async function* () {
        for (; made < 1000; ) {
          made += 1;
          yield page(`${made}`, sizeBytes);
        }
      },
    });
    await using raw = openRawCall(fake.address, listVersionsPath, { message: new Uint8Array() });
    raw.stream.end();
    await settled(() => made);
    expect(made).toBe(expected);
  });

  it("gets every message", async () => {
    await using fake = await serveFake({
      listVersions: async function* () {
        for (let n = 1; n <= 30; n += 1) yield page(`${n}`, big);
      },
    });
    const tokens: string[] = [];
    for await (const { nextPageToken } of listVersions(fake) as AsyncIterable<ListVersionsResponse>) {
      tokens.push(nextPageToken);
      await sleep(5); // The slowness that the test is about.
    }
    expect(tokens).toEqual(Array.from({ length: 30 }, (_, index) => `${index + 1}`));
  });
});

describe("the source of a stream is closed", () => {
  it("when the client cancels while the handler waits for it to read", async () => {
    const state = watched();
    await using fake = await serveFake({ listVersions: (_request, context) => endless(state, context) });
    const call = listVersions(fake);
    call.on("error", () => undefined);
    await nextMessage(call);
    await settled(() => state.yielded);
    call.cancel();
    await vi.waitFor(() => expect(state.closed).toBe(true), 5000);
    expect(state.context?.signal.reason).toMatchObject({ reason: "CANCELLED" });
  });

  it("when the connection is lost while the handler waits for the client to read", async () => {
    const state = watched();
    await using fake = await serveFake({ listVersions: (_request, context) => endless(state, context) });
    await using raw = openRawCall(fake.address, listVersionsPath, { message: new Uint8Array() });
    raw.stream.end();
    await settled(() => state.yielded);
    raw.stream.session?.destroy();
    await vi.waitFor(() => expect(state.closed).toBe(true), 5000);
    expect(state.context?.signal.reason).toMatchObject({ reason: "CANCELLED" });
  });

  it("when the deadline passes, also for a client that neither reads nor cancels", async () => {
    const state = watched();
    await using fake = await serveFake({ listVersions: (_request, context) => endless(state, context) });
    await using raw = openRawCall(fake.address, listVersionsPath, {
      headers: { "grpc-timeout": "300m" },
      message: new Uint8Array(),
    });
    raw.stream.end();
    await vi.waitFor(() => expect(state.closed).toBe(true), 5000);
    expect(state.yielded).toBe(1);
    expect(state.context?.signal.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});

describe("the source of a stream is closed also", () => {
  it("when the client cancels while the handler waits for something else", async () => {
    const state = watched();
    await using fake = await serveFake({
      listVersions: async function* (_request, { signal }) {
        try {
          yield page("1");
          state.yielded += 1;
          await sleep(60_000, undefined, { signal });
        } finally {
          state.closed = true;
        }
      },
    });
    const call = listVersions(fake);
    call.on("error", () => undefined);
    await nextMessage(call);
    call.cancel();
    await vi.waitFor(() => expect(state.closed).toBe(true), 5000);
    expect(fake.logged).toEqual([]);
  });

  it("when the client cancels, even if closing it fails", async () => {
    const state = watched();
    await using fake = await serveFake({
      listVersions: async function* (_request, context) {
        try {
          yield* endless(state, context);
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: this is what the test is about.
          throw new Error("cannot close");
        }
      },
    });
    const call = listVersions(fake);
    call.on("error", () => undefined);
    await nextMessage(call);
    call.cancel();
    await vi.waitFor(() => expect(state.closed).toBe(true), 5000);
  });
});

describe("the signal of a stream", () => {
  it("stays as it is after a successful end", async () => {
    const { promise: signal, resolve } = Promise.withResolvers<AbortSignal>();
    await using fake = await serveFake({
      listVersions: async function* (_request, context) {
        resolve(context.signal);
        yield page("1");
      },
    });
    await outcomeOf(listVersions(fake, { deadline: Date.now() + 60_000 }));
    fake.calls.drain();
    await fake.calls.whenIdle();
    expect((await signal).aborted).toBe(false);
  });
});

/** What a test sees of an endless stream from the server's side. */
interface Watched {
  yielded: number;
  read: number;
  closed: boolean;
  context: CallContext | undefined;
}

function watched(): Watched {
  return { yielded: 0, read: 0, closed: false, context: undefined };
}

/** Far more than anybody reads; it ends so that an adapter without back-pressure fails the test and not the run. */
async function* endless(state: Watched, context?: CallContext): AsyncGenerator<ListVersionsResponse> {
  state.context = context;
  try {
    while (state.yielded < 1000) {
      state.yielded += 1;
      yield page(`${state.yielded}`, big);
    }
  } finally {
    state.closed = true;
  }
}

async function nextMessage(call: ClientReadableStream<ListVersionsResponse>): Promise<ListVersionsResponse> {
  for (;;) {
    const message: ListVersionsResponse | null = call.read();
    if (message !== null) return message;
    await once(call, "readable");
  }
}

/** Waits until a number is positive and no longer grows. */
async function settled(current: () => number): Promise<void> {
  await vi.waitFor(
    async () => {
      const before = current();
      await sleep(100);
      expect(before).toBeGreaterThan(0);
      expect(current()).toBe(before);
    },
    { timeout: 10_000 },
  );
}

/** The only thing that a client learns of an unknown error; the log has the rest. */
function internalError({ logged }: FakeRegistry): RpcError {
  expect(logged).toEqual([{ id: expect.any(String), err: expect.any(Error), message: "internal error" }]);
  const [{ id }] = logged as [{ id: string }];
  return {
    code: "INTERNAL",
    message: `internal error ${id}; tell the operator of the service this id`,
    reason: "INTERNAL",
    domain: "stele",
    metadata: { id },
    violations: [],
    resource: undefined,
    retryDelayMs: undefined,
  };
}
