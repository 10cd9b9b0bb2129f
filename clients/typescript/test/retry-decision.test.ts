import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { backoffMs, waitMs } from "../src/retry-decision.ts";
import { retryInfo, stele } from "./details.ts";

/** An error as connect-node makes it of an answer: with the headers of the answer. */
function answered(code: Code, ...details: ConstructorParameters<typeof ConnectError>[3] & object): ConnectError {
  return new ConnectError("no", code, { "content-type": "application/grpc" }, details);
}

test("doubles the wait up to 5 s, give or take a fifth", () => {
  const waits = [1, 2, 3, 6, 7, 50].map((failures) => backoffMs(failures, 0.5));
  assert.deepEqual(waits, [100, 200, 400, 3_200, 5_000, 5_000]);
  assert.deepEqual([backoffMs(1, 0), Math.round(backoffMs(50, 1))], [80, 6_000]);
});

describe("an answer of the service", () => {
  for (const code of [Code.Unavailable, Code.Aborted]) {
    test(`is worth another attempt with ${Code[code]}`, () => {
      const delayMs = waitMs(answered(code), 1);
      assert.ok(delayMs !== undefined && delayMs >= 80 && delayMs <= 120);
    });
  }

  for (const code of [Code.Canceled, Code.Internal, Code.InvalidArgument, Code.AlreadyExists, Code.DeadlineExceeded]) {
    test(`is final with ${Code[code]}`, () => {
      assert.equal(waitMs(answered(code, stele("SOME_REASON")), 1), undefined);
    });
  }

  test("is worth another attempt with any code when it has RetryInfo, and at least after its delay", () => {
    assert.equal(waitMs(answered(Code.ResourceExhausted, retryInfo(2_500)), 1), 2_500);
    const delayMs = waitMs(answered(Code.ResourceExhausted, retryInfo(0)), 4);
    assert.ok(delayMs !== undefined && delayMs >= 640 && delayMs <= 960);
  });
});

describe("a connection", () => {
  for (const code of [Code.Canceled, Code.Internal, Code.InvalidArgument, Code.Aborted, Code.ResourceExhausted]) {
    test(`that broke is worth another attempt when it is called ${Code[code]}`, () => {
      assert.notEqual(waitMs(new ConnectError("closed", code), 1), undefined);
    });
  }

  test("on which the deadline passed or which speaks no gRPC is final", () => {
    assert.equal(waitMs(new ConnectError("timed out", Code.DeadlineExceeded), 1), undefined);
    assert.equal(waitMs(new ConnectError("unsupported content type text/html", Code.Unknown), 1), undefined);
  });
});
