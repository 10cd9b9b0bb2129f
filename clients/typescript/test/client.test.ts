import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { SteleClient } from "../src/client.ts";
import { RegistryError } from "../src/errors.ts";
import {
  ListVersionsRequestSchema,
  RegisterVersionRequestSchema,
} from "../src/gen/stele/v1/model_registry_service_pb.ts";
import { retryInfo, stele } from "./details.ts";
import { startFakeService } from "./fake-service.ts";

const number = { case: "version", value: "1.0.0" } as const;

function unavailable(): ConnectError {
  return new ConnectError("stopping", Code.Unavailable, undefined, [stele("SHUTTING_DOWN"), retryInfo(10)]);
}

describe("a call", () => {
  test("is repeated with the same request id, and leaves the caller's request alone", async () => {
    const ids: string[] = [];
    await using service = await startFakeService({
      registerVersion({ model, requestId }) {
        ids.push(requestId);
        if (ids.length < 3) throw unavailable();
        return { modelVersion: { model } };
      },
    });
    using client = service.connect();
    const request = create(RegisterVersionRequestSchema, { model: "cnn", number });
    assert.equal((await client.register(request)).model, "cnn");
    assert.match(ids[0] ?? "", /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    assert.deepEqual(ids, Array(3).fill(ids[0]));
    assert.equal(request.requestId, "");
  });

  test("is repeated when its connection breaks", async () => {
    let calls = 0;
    await using service = await startFakeService({
      getVersion({ model }) {
        calls += 1;
        if (calls === 1) service.cut();
        return { modelVersion: { model } };
      },
    });
    using client = service.connect();
    assert.equal((await client.get("cnn", "1.0.0")).model, "cnn");
    assert.equal(calls, 2);
  });

  test("gives every attempt what is left of the timeout, and fails before a wait that would be too long", async () => {
    const timeouts: number[] = [];
    await using service = await startFakeService({
      getVersion(_, { timeoutMs }) {
        timeouts.push(timeoutMs() ?? Number.NaN);
        throw unavailable();
      },
    });
    using client = service.connect({ timeoutMs: 5_000 });
    const error = { name: "RegistryError", code: Code.Unavailable, reason: "SHUTTING_DOWN" };
    await assert.rejects(client.get("cnn", "1.0.0", { timeoutMs: 500 }), { ...error, message: "stopping" });
    assert.ok(timeouts.length >= 2 && timeouts.length <= 3);
    assert.ok(timeouts.every((timeout, index) => timeout < (timeouts[index - 1] ?? 501)));
  });

  test("is not repeated where the service's answer is final", async () => {
    let calls = 0;
    await using service = await startFakeService({
      registerVersion() {
        calls += 1;
        throw new ConnectError("taken", Code.AlreadyExists, undefined, [stele("VERSION_ALREADY_EXISTS")]);
      },
    });
    using client = service.connect();
    await assert.rejects(client.register({ model: "cnn", number }), { name: "VersionAlreadyExistsError" });
    assert.equal(calls, 1);
  });

  test("ends with its signal and with its client, also between two attempts", async () => {
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    await using service = await startFakeService({
      getVersion() {
        setImmediate(resolve);
        throw new ConnectError("later", Code.Unavailable, undefined, [stele("SHUTTING_DOWN"), retryInfo(9_000)]);
      },
    });
    using client = service.connect();
    const caller = new AbortController();
    const { signal } = caller;
    const cancelled = assert.rejects(client.get("cnn", "1.0.0", { signal }), {
      code: Code.Canceled,
      message: "enough",
    });
    const closed = assert.rejects(client.get("cnn", "1.0.0"), { code: Code.Canceled, message: "the client is closed" });
    await answered;
    caller.abort(new Error("enough"));
    await cancelled;
    client.close();
    await closed;
    await assert.rejects(client.get("cnn", "1.0.0"), { code: Code.Canceled, message: "the client is closed" });
  });

  test("passes its deadline where the service is silent", async () => {
    await using service = await startFakeService({ getVersion: () => new Promise(() => {}) });
    using client = service.connect();
    const message = `${service.address}: no answer within 0.05 s`;
    const error = { code: Code.DeadlineExceeded, reason: "", metadata: {}, message };
    await assert.rejects(client.get("cnn", "1.0.0", { timeoutMs: 50 }), error);
  });

  test("tells with its deadline which failure came before", async () => {
    let calls = 0;
    await using service = await startFakeService({
      getVersion() {
        calls += 1;
        if (calls === 1) throw unavailable();
        return new Promise(() => {});
      },
    });
    using client = service.connect({ timeoutMs: 400 });
    const message = `${service.address}: no answer within 0.4 s; the attempt before failed: Unavailable: stopping`;
    await assert.rejects(client.get("cnn", "1.0.0"), { code: Code.DeadlineExceeded, message });
  });

  test("keeps the words of a deadline that is not its own", async () => {
    await using service = await startFakeService({
      getVersion() {
        throw new ConnectError("a proxy's deadline", Code.DeadlineExceeded);
      },
    });
    using client = service.connect();
    const error = { code: Code.DeadlineExceeded, message: `${service.address}: a proxy's deadline` };
    await assert.rejects(client.get("cnn", "1.0.0"), error);
    const late = { code: Code.DeadlineExceeded, message: `${service.address}: no answer within 0.04 s` };
    await assert.rejects(client.get("cnn", "1.0.0", { timeoutMs: 40 }), late);
  });

  test("names the address in what does not come from there", async () => {
    await using service = await startFakeService({});
    const { address } = service;
    using client = service.connect({ timeoutMs: 50 });
    await service[Symbol.asyncDispose]();
    const message = `${address}: connect ECONNREFUSED ${address}`;
    await assert.rejects(client.get("cnn", "1.0.0"), { code: Code.Unavailable, message });
  });
});

describe("a listing", () => {
  const page = (model: string, nextPageToken: string) => ({ versions: [{ modelVersion: { model } }], nextPageToken });

  test("goes on after its last message when the stream breaks or ends too early, and ends with the empty token", async () => {
    const requests: string[] = [];
    await using service = await startFakeService({
      async *listVersions({ pageToken, range }, { signal }) {
        requests.push(`${range} after ${pageToken}`);
        switch (requests.length) {
          case 1:
            yield page("a", "1");
            return yield page("b", "2");
          case 2:
            throw unavailable();
          case 3:
            yield page("c", "3");
            return await once(signal, "abort");
          default:
            yield page("d", "");
            throw new ConnectError("lost", Code.Internal);
        }
      },
    });
    using client = service.connect();
    const models: string[] = [];
    for await (const { model } of client.listVersions({ model: "cnn", range: "^1" })) {
      models.push(model);
      if (model === "c") service.cut();
    }
    assert.deepEqual(models, ["a", "b", "c", "d"]);
    assert.deepEqual(requests, ["^1 after ", "^1 after 2", "^1 after 2", "^1 after 3"]);
  });

  test("is of the request that it began with, and begins again with the caller's token", async () => {
    const requests: string[] = [];
    await using service = await startFakeService({
      async *listVersions({ pageToken, range }) {
        requests.push(`${range} after ${pageToken}`);
        if (requests.length === 1) throw unavailable();
        yield page("a", "");
      },
    });
    using client = service.connect();
    const request = create(ListVersionsRequestSchema, { model: "cnn", range: "^1", pageToken: "begin" });
    const listing = client.listVersions(request);
    request.range = "^2";
    assert.equal((await Array.fromAsync(listing)).length, 1);
    assert.deepEqual(requests, ["^1 after begin", "^1 after begin"]);
    assert.equal(request.pageToken, "begin");
  });

  test("is complete when its stream has no messages", async () => {
    await using service = await startFakeService({ async *listModels() {} });
    using client = service.connect();
    assert.deepEqual(await Array.fromAsync(client.listModels()), []);
  });

  test("ends its stream when the loop is left", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    await using service = await startFakeService({
      async *listVersions(_, { signal }) {
        signal.addEventListener("abort", () => resolve());
        yield page("a", "1");
        await ended;
      },
    });
    using client = service.connect();
    for await (const { model } of client.listVersions({ model: "cnn" })) {
      assert.equal(model, "a");
      break;
    }
    await ended;
  });

  test("fails when it goes without a message for its timeout after a failure", async () => {
    let calls = 0;
    await using service = await startFakeService({
      async *listVersions() {
        calls += 1;
        if (calls > 1) await new Promise(() => {});
        yield page("a", "1");
      },
    });
    using client = service.connect();
    const listing = client.listVersions({ model: "cnn" }, { timeoutMs: 300 });
    assert.equal((await listing.next()).done, false);
    const before = "the attempt before failed: Unavailable: the stream ended before the listing";
    const message = `${service.address}: no answer within 0.3 s; ${before}`;
    await assert.rejects(listing.next(), { code: Code.DeadlineExceeded, message });
    assert.equal(calls, 2);
  });
});

describe("the options", () => {
  const address = "localhost:50051";

  test("are refused when they contradict each other", () => {
    assert.throws(() => new SteleClient({ address, plaintext: true, token: "secret" }), TypeError);
    assert.throws(() => new SteleClient({ address, plaintext: true, ca: "-" }), TypeError);
    assert.throws(() => new SteleClient({ address, cert: "-" }), TypeError);
    assert.throws(() => new SteleClient({ address, token: "two words" }), TypeError);
    assert.throws(() => new SteleClient({ address, timeoutMs: 0 }), RangeError);
    for (const none of ["localhost", "http://localhost:1", "localhost:99999", "a@b:1", "a/b:1", "::1:1"]) {
      assert.throws(() => new SteleClient({ address: none }), TypeError);
    }
  });

  for (const [failure, code] of [
    [new Error("the vault is sealed"), Code.Unauthenticated],
    [new RegistryError("the vault is sealed", { code: Code.PermissionDenied }), Code.PermissionDenied],
  ] as const) {
    test(`give ${Code[code]} when the token's function fails with ${failure.name}`, async () => {
      const token = () => Promise.reject(failure);
      using client = new SteleClient({ address, token });
      const error = { name: "RegistryError", code, message: "no token: the vault is sealed", reason: "" };
      await assert.rejects(client.get("cnn", "1.0.0"), error);
    });
  }
});
