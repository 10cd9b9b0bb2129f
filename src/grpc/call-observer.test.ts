import { Metadata, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { createNoopMeter } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cancelled } from "../domain/call-errors.ts";
import { internal } from "../domain/errors.ts";
import { CallDurations } from "../telemetry/call-durations.ts";
import { Instruments } from "../telemetry/instruments.ts";
import { type CallLog, ObservedCall } from "./call-observer.ts";
import { type Answer, statusOf } from "./status.ts";

const GET = "/stele.v1.ModelRegistryService/GetVersion";
const silent = { error: () => undefined, warn: () => undefined };
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface Scene {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers?: readonly Answer[];
  readonly deadline?: number;
  readonly logsCalls?: boolean;
}

/** The lines of the log, each with its level, of a call that is over. */
function linesOf({ path = GET, headers = {}, answers = [], deadline = Infinity, logsCalls = true }: Scene): object[] {
  const lines: object[] = [];
  const at = (level: string) => (line: object, msg: string) => void lines.push({ level, msg, ...line });
  const log: CallLog = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const instruments = new Instruments(createNoopMeter(), new CallDurations());
  const options = { instruments, spans: undefined, log, logsCalls };
  const observed = new ObservedCall(options, callOf(deadline), path, metadata);
  for (const answer of answers) observed.answered(answer);
  observed.end();
  return lines;
}

// As much of a call of grpc-js as is looked at.
function callOf(deadline: number): ServerInterceptingCallInterface {
  const call = { getDeadline: () => deadline, getConnectionInfo: () => ({ remoteAddress: "::1", remotePort: 7 }) };
  return call as unknown as ServerInterceptingCallInterface;
}

describe("an observed call", () => {
  const levels: readonly (readonly [keyof typeof status, string])[] = [
    ["OK", "info"],
    ["CANCELLED", "info"],
    ["UNKNOWN", "error"],
    ["INVALID_ARGUMENT", "info"],
    ["DEADLINE_EXCEEDED", "info"],
    ["NOT_FOUND", "info"],
    ["ALREADY_EXISTS", "info"],
    ["PERMISSION_DENIED", "info"],
    ["RESOURCE_EXHAUSTED", "warn"],
    ["FAILED_PRECONDITION", "info"],
    ["ABORTED", "info"],
    ["OUT_OF_RANGE", "info"],
    ["UNIMPLEMENTED", "info"],
    ["INTERNAL", "error"],
    ["UNAVAILABLE", "warn"],
    ["DATA_LOSS", "error"],
    ["UNAUTHENTICATED", "info"],
  ];

  it.each(levels)("that answers %s is a line of level %s", (name, level) => {
    expect(linesOf({ answers: [{ code: status[name] }] })).toEqual([
      {
        level,
        msg: "call",
        requestId: expect.stringMatching(uuid),
        method: GET.slice(1),
        status: name,
        durationMs: expect.any(Number),
        caller: "",
        peer: "::1 7",
      },
    ]);
  });

  it.each(["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"])(
    "of %s is a line of level debug",
    (path) => {
      expect(linesOf({ path, answers: [{ code: status.OK }] })).toMatchObject([{ level: "debug" }]);
      expect(linesOf({ path, answers: [{ code: status.UNAVAILABLE }] })).toMatchObject([{ level: "warn" }]);
    },
  );

  it("has its first answer, and the reason of that", () => {
    const answers = [statusOf(internal("id"), silent), statusOf(cancelled(), silent), { code: status.OK }];
    expect(linesOf({ answers })).toMatchObject([{ status: "INTERNAL", reason: "INTERNAL" }]);
  });

  it("without an answer is CANCELLED, or DEADLINE_EXCEEDED where its time is up", () => {
    expect(linesOf({})).toMatchObject([{ status: "CANCELLED" }]);
    expect(linesOf({ deadline: Date.now() + 60_000 })).toMatchObject([{ status: "CANCELLED" }]);
    expect(linesOf({ deadline: Date.now() })).toMatchObject([{ status: "DEADLINE_EXCEEDED" }]);
  });

  it("has no line where calls are not logged", () => {
    expect(linesOf({ answers: [{ code: status.INTERNAL }], logsCalls: false })).toEqual([]);
  });

  it("has the request id of its caller where that is visible ASCII of at most 128 characters, else a UUID", () => {
    const headerValue = fc.string({ unit: "grapheme-ascii", maxLength: 200 });
    fc.assert(
      fc.property(headerValue, (id) => {
        const isTaken = /^[!-~]{1,128}$/.test(id);
        const requestId = isTaken ? id : expect.stringMatching(uuid);
        expect(linesOf({ headers: { "x-request-id": id } })).toMatchObject([{ requestId }]);
      }),
    );
  });

  it("has the trace id of a valid traceparent, and of no other", () => {
    const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
    fc.assert(
      fc.property(hex(32), hex(16), hex(2), (traceId, spanId, flags) => {
        const isValid = /[^0]/.test(traceId) && /[^0]/.test(spanId);
        const [line] = linesOf({ headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } });
        expect(line).toEqual(isValid ? expect.objectContaining({ traceId }) : expect.not.objectContaining({ traceId }));
      }),
      {
        examples: [
          ["0".repeat(32), "1".repeat(16), "01"],
          ["1".repeat(32), "0".repeat(16), "01"],
        ],
      },
    );
    expect(linesOf({ headers: { traceparent: "nonsense" } })[0]).not.toHaveProperty("traceId");
  });
});
