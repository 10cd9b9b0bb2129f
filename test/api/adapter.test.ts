import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import {
  GetVersionRequestSchema,
  type GetVersionResponse,
  RegisterVersionRequestSchema,
  type RegisterVersionResponse,
  RegisterVersionResponseSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import type { Encoded } from "../../src/grpc/adapter.ts";
import type { CallContext } from "../../src/grpc/call-context.ts";
import { answerOf, type FakeRegistry, getVersion, serveFake, versionResponse } from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";
import { expectNoUnhandledRejection } from "../support/unhandled-rejections.ts";

const getVersionPath = ModelRegistryServiceDefinition.getVersion.path;

expectNoUnhandledRejection();

describe("a unary handler", () => {
  it("gets the decoded request and answers with a message", async () => {
    await using fake = await serveFake({
      getVersion: async ({ model, selector }) => versionResponse(`${model}@${selector.value}`),
    });
    const response = await getVersion(fake, { model: "resnet", selector: { case: "version", value: "1.0.0" } });
    expect(response.modelVersion?.version).toBe("resnet@1.0.0");
  });

  it("answers with bytes that are a serialized response", async () => {
    const { responseSerialize } = ModelRegistryServiceDefinition.getVersion;
    const bytes = responseSerialize(versionResponse("1.2.3")) as Encoded<GetVersionResponse>;
    await using fake = await serveFake({ getVersion: async () => bytes });
    expect((await getVersion(fake)).modelVersion?.version).toBe("1.2.3");
  });

  it("takes the request's bytes when it asks for them", async () => {
    await using fake = await serveFake({
      registerVersion: {
        fromBytes: async (bytes) => {
          const { model } = fromBinary(RegisterVersionRequestSchema, bytes);
          return create(RegisterVersionResponseSchema, { modelVersion: { model } });
        },
      },
    });
    const request = create(RegisterVersionRequestSchema, { model: "resnet" });
    const response = await answerOf<RegisterVersionResponse>((done) => fake.client.registerVersion(request, done));
    expect(response.modelVersion?.model).toBe("resnet");
  });

  it("sees the call's deadline", async () => {
    const deadline = new Date(Date.now() + 60_000);
    const { promise: seen, resolve } = Promise.withResolvers<Date | undefined>();
    await using fake = await serveFake({
      getVersion: async (_request, context) => {
        resolve(context.deadline);
        return versionResponse("1.0.0");
      },
    });
    await callWithDeadline(fake, deadline);
    expect(Math.abs(((await seen)?.getTime() ?? 0) - deadline.getTime())).toBeLessThan(5000);
  });
});

describe("the signal of a unary call", () => {
  it("stays as it is after a successful answer", async () => {
    const { promise: signal, resolve } = Promise.withResolvers<AbortSignal>();
    await using fake = await serveFake({
      getVersion: async (_request, context) => {
        resolve(context.signal);
        return versionResponse("1.0.0");
      },
    });
    await getVersion(fake);
    fake.calls.drain();
    await fake.calls.whenIdle(); // By then grpc-js has emitted its event for the end of the call.
    expect((await signal).aborted).toBe(false);
  });

  it("aborts with CANCELLED when the client cancels", async () => {
    const { fake, signal } = await serveEndless();
    await using _ = fake;
    const call = fake.client.getVersion(create(GetVersionRequestSchema), () => undefined);
    const taken = await signal;
    call.cancel();
    await vi.waitFor(() => expect(taken.reason).toMatchObject({ reason: "CANCELLED" }), 5000);
  });

  it("aborts with CANCELLED when the connection is lost", async () => {
    const { fake, signal } = await serveEndless();
    await using _ = fake;
    await using raw = openRawCall(fake.address, getVersionPath, { message: new Uint8Array() });
    raw.stream.end();
    const taken = await signal;
    raw.stream.session?.destroy();
    await vi.waitFor(() => expect(taken.reason).toMatchObject({ reason: "CANCELLED" }), 5000);
  });

  it("aborts with DEADLINE_EXCEEDED when the deadline passes", async () => {
    const { fake, signal } = await serveEndless();
    await using _ = fake;
    await using raw = openRawCall(fake.address, getVersionPath, {
      headers: { "grpc-timeout": "100m" },
      message: new Uint8Array(),
    });
    raw.stream.end();
    const taken = await signal;
    expect(await raw.trailers).toMatchObject({ "grpc-status": `${status.DEADLINE_EXCEEDED}` });
    await vi.waitFor(() => expect(taken.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" }), 5000);
  });

  it("makes an AbortError of the handler no fault of the service", async () => {
    const { fake, signal } = await serveEndless();
    await using _ = fake;
    const call = fake.client.getVersion(create(GetVersionRequestSchema), () => undefined);
    await signal;
    call.cancel();
    fake.calls.drain();
    await fake.calls.whenIdle();
    expect({ isAborted: (await signal).aborted, logged: fake.logged }).toEqual({ isAborted: true, logged: [] });
  });

  it("is aborted already when it is asked for after the client cancelled", async () => {
    const first = Promise.withResolvers<CallContext>();
    const second = Promise.withResolvers<AbortSignal>();
    await using fake = await serveFake({
      getVersion: async ({ model }, context) => {
        if (model === "first") first.resolve(context);
        else second.resolve(context.signal);
        return await new Promise(() => undefined);
      },
    });
    const [firstCall, secondCall] = ["first", "second"].map((model) =>
      fake.client.getVersion(create(GetVersionRequestSchema, { model }), () => undefined),
    );
    const context = await first.promise;
    const signal = await second.promise;
    // On one connection cancellations keep their order.
    firstCall?.cancel();
    secondCall?.cancel();
    await once(signal, "abort");
    expect(context.signal.reason).toMatchObject({ reason: "CANCELLED" });
  });
});

describe("a deadline", () => {
  const day = 24 * 60 * 60 * 1000;

  it.each([25, 30, 50, 365])("of %i days does not end the call", async (days) => {
    const { promise: deadline, resolve } = Promise.withResolvers<Date | undefined>();
    await using fake = await serveFake({
      getVersion: async (_request, context) => {
        resolve(context.deadline);
        return versionResponse("1.0.0");
      },
    });
    const response = await callWithDeadline(fake, new Date(Date.now() + days * day));
    expect(response.modelVersion?.version).toBe("1.0.0");
    expect(await deadline).toBeUndefined();
  });

  it.each(["99999999H", "99999999M", "99999999S", "2147484S", "597H"])(
    "of %s does not end the call",
    async (timeout) => {
      await using fake = await serveFake({ getVersion: async () => versionResponse("1.0.0") });
      await using raw = openRawCall(fake.address, getVersionPath, {
        headers: { "grpc-timeout": timeout },
        message: new Uint8Array(),
      });
      raw.stream.end();
      expect(await raw.trailers).toMatchObject({ "grpc-status": `${status.OK}` });
    },
  );

  it.each(["596H", "2147483S", "99999999m"])("of %s is kept", async (timeout) => {
    const { promise: deadline, resolve } = Promise.withResolvers<Date | undefined>();
    await using fake = await serveFake({
      getVersion: async (_request, context) => {
        resolve(context.deadline);
        return versionResponse("1.0.0");
      },
    });
    await using raw = openRawCall(fake.address, getVersionPath, {
      headers: { "grpc-timeout": timeout },
      message: new Uint8Array(),
    });
    raw.stream.end();
    expect((await deadline)?.getTime()).toBeGreaterThan(Date.now() + day);
  });

  it("that passes while the request is still arriving keeps the handler from starting", async () => {
    const handler = vi.fn(async () => versionResponse("1.0.0"));
    await using fake = await serveFake({ getVersion: handler });
    await using raw = openRawCall(fake.address, getVersionPath, {
      headers: { "grpc-timeout": "50m" },
      message: new Uint8Array(),
    });
    expect(await raw.trailers).toMatchObject({ "grpc-status": `${status.DEADLINE_EXCEEDED}` });
    raw.stream.end();
    await getVersion(fake).catch(() => undefined); // A later call passes the handler only after the first one could.
    fake.calls.drain();
    await fake.calls.whenIdle();
    expect(handler).toHaveBeenCalledTimes(1);
  });
});

describe("a handler whose client is gone", () => {
  it("may finish, with an answer or an error", async () => {
    const goOn = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const finished: string[] = [];
    await using fake = await serveFake({
      getVersion: async ({ model }) => {
        started.resolve();
        await goOn.promise;
        finished.push(model);
        if (model === "fails") throw new Error("nobody hears this");
        return versionResponse("1.0.0");
      },
    });
    for (const model of ["answers", "fails"]) {
      const request = create(GetVersionRequestSchema, { model });
      const failed = Promise.withResolvers<void>();
      const call = fake.client.getVersion(request, () => failed.resolve());
      await started.promise;
      call.cancel();
      await failed.promise;
    }
    goOn.resolve();
    await vi.waitFor(() => expect(finished.toSorted()).toEqual(["answers", "fails"]), 5000);
    expect(fake.logged).toHaveLength(1);
  });
});

/** A GetVersion that waits for its signal, and the signal of its first call. */
async function serveEndless(): Promise<{ fake: FakeRegistry; signal: Promise<AbortSignal> }> {
  const { promise: signal, resolve } = Promise.withResolvers<AbortSignal>();
  const fake = await serveFake({
    getVersion: async (_request, context) => {
      resolve(context.signal);
      await sleep(60_000, undefined, { signal: context.signal });
      return versionResponse("1.0.0");
    },
  });
  return { fake, signal };
}

function callWithDeadline({ client }: FakeRegistry, deadline: Date): Promise<GetVersionResponse> {
  const request = create(GetVersionRequestSchema);
  return answerOf<GetVersionResponse>((done) => client.getVersion(request, { deadline }, done));
}
