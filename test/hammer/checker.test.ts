import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { ModelMetadataSchema, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../../src/domain/digest.ts";
import { findViolations } from "./checker.ts";
import type { Call, IncrementNumber, Outcome, Row } from "./history.ts";

const registeredAt = new Date("2026-01-02T03:04:05.678Z");
const requestId = "7b2f9c1e-54d0-4f4a-9d3c-0a8f6f1f2f10";
const patch: IncrementNumber = { kind: "increment", level: "PATCH" };
const lost: Outcome = { kind: "error", code: "UNAVAILABLE", metadata: {}, message: "Connection dropped" };

let count = 0;

function rowOf(version: string, { model = "m", content = "c", requestId = undefined as string | undefined } = {}): Row {
  const metadata = create(ModelMetadataSchema, { description: content });
  const digest = formatDigest(recordDigest({ model, version, metadata }));
  const values = { model, version, metadata, digest, registeredAt: timestampFromDate(registeredAt) };
  const record = toBinary(ModelVersionSchema, create(ModelVersionSchema, values));
  return { model, version, record: Buffer.from(record).toString("base64"), digest, registeredAt, requestId };
}

function callOf(number: string | IncrementNumber, outcome: Outcome, more: Partial<Call> = {}): Call {
  count += 1;
  return {
    id: `call#${count}`,
    kind: "test",
    model: "m",
    number: typeof number === "string" ? { kind: "explicit", version: number } : number,
    content: "c",
    replica: 0,
    startedAt: count,
    endedAt: count + 0.5,
    outcome,
    ...more,
  };
}

function ok({ record }: Row): Outcome {
  return { kind: "ok", record };
}

function failed(code: string, reason: string, metadata: Record<string, string> = {}): Outcome {
  return { kind: "error", code, reason, metadata, message: "in words" };
}

function taken(version: string, row: Row, identical: boolean, changes: Record<string, string> = {}): Outcome {
  return failed("ALREADY_EXISTS", "VERSION_ALREADY_EXISTS", {
    model: row.model,
    version,
    existing_version: row.version,
    existing_digest: row.digest,
    registered_at: registeredAt.toISOString(),
    identical: String(identical),
    ...changes,
  });
}

function reused(row: Row, changes: Record<string, string> = {}): Outcome {
  const metadata = { model: row.model, request_id: requestId, existing_version: row.version, ...changes };
  return failed("INVALID_ARGUMENT", "REQUEST_ID_REUSED", metadata);
}

/** The one violation, without the name of its call. */
function violation(calls: readonly Call[], rows: readonly Row[]): string {
  const [first = "none", ...rest] = findViolations({ calls, rows });
  expect(rest).toEqual([]);
  return first.replace(/^test call#\d+ of \S+ \{.*?\} /, "");
}

describe("a true history", () => {
  it("has no violations", () => {
    const row = rowOf("1.0.0+a");
    const own = rowOf("1.0.1", { requestId });
    const model = "increments";
    const first = rowOf("0.1.0", { model, content: "first" });
    const car = rowOf("0.1.1-rc.1", { model, content: "car" });
    const calls = [
      callOf("1.0.0+a", ok(row)),
      callOf("1.0.0+a", taken("1.0.0+a", row, true)),
      callOf("1.0.0", taken("1.0.0", row, false)),
      callOf("1.0.1", lost, { requestId }),
      callOf("1.0.1", ok(own), { requestId }),
      callOf("1.0.1", ok(own), { requestId }),
      callOf("1.0.1", reused(own), { requestId, content: "other" }),
      callOf("9.0.0", lost),
      callOf("8.0.0", ok(rowOf("8.0.0")), { validateOnly: true }),
      callOf({ ...patch, within: "0.x" }, failed("FAILED_PRECONDITION", "NO_BASE_VERSION"), { model }),
      callOf({ ...patch, level: "MINOR" }, ok(first), { model, content: "first" }),
      callOf({ ...patch, prerelease: "rc" }, lost, { model, content: "car" }),
    ];
    expect(findViolations({ calls, rows: [row, own, first, car] })).toEqual([]);
  });
});

describe("an acknowledged version", () => {
  const row = rowOf("1.0.0");

  it("that is missing is reported", () => {
    expect(violation([callOf("1.0.0", ok(row))], [])).toBe("was acknowledged as 1.0.0, which is not stored");
  });

  it("that is stored with other bytes is reported", () => {
    const other = rowOf("1.0.0", { content: "other" });
    const calls = [callOf("1.0.0", ok(row)), callOf("1.0.0", lost, { content: "other" })];
    expect(violation(calls, [other])).toBe("was acknowledged as 1.0.0, but other bytes are stored");
  });

  it.each([
    ["another version", callOf("1.0.1", ok(row))],
    ["another content", callOf("1.0.0", ok(row), { content: "other" })],
    ["no request_id", callOf("1.0.0", ok(row), { requestId })],
    ["another level", callOf(patch, ok(row))],
    ["another train", callOf({ kind: "increment", level: "MAJOR", prerelease: "rc" }, ok(row))],
    ["another range", callOf({ kind: "increment", level: "MAJOR", within: "2.x" }, ok(row))],
  ])("with %s than asked for is reported", (_, call) => {
    const calls = [callOf("1.0.0", ok(row)), call];
    expect(violation(calls, [row])).toBe("was answered with 1.0.0, which is not what it asked for");
  });

  it("is reported when it is only a preview of something else", () => {
    const call = callOf("1.0.1", ok(row), { validateOnly: true });
    expect(violation([call], [])).toBe("was shown 1.0.0, which is not what it asked for");
  });
});

describe("a row", () => {
  it("that is there twice is reported, build metadata aside", () => {
    const rows = [rowOf("1.0.0+a"), rowOf("1.0.0+b")];
    expect(violation([callOf("1.0.0+a", lost), callOf("1.0.0+b", lost)], rows)).toBe("m@1.0.0 is stored 2 times");
  });

  it("whose request_id is there twice is reported", () => {
    const rows = [rowOf("1.0.0", { requestId, content: "a" }), rowOf("1.0.1", { requestId, content: "b" })];
    const calls = [
      callOf("1.0.0", lost, { requestId, content: "a" }),
      callOf(patch, lost, { requestId, content: "b" }),
    ];
    expect(findViolations({ calls, rows })).toContain(`m ${requestId} is stored 2 times`);
  });

  it("that differs from its record is reported", () => {
    const row = { ...rowOf("1.0.0"), digest: rowOf("1.0.1").digest };
    expect(violation([callOf("1.0.0", lost)], [row])).toBe("the record of m@1.0.0 differs from its columns");
  });

  it.each([
    ["nobody", []],
    ["a call for another version", [callOf("1.0.1", lost)]],
    ["a call with another content", [callOf("1.0.0", lost, { content: "other" })]],
    ["a call that was refused", [callOf("1.0.0", failed("ABORTED", "INCREMENT_CONTENDED"), { number: patch })]],
    ["a call to validate only", [callOf("1.0.0", lost, { validateOnly: true })]],
  ])("that was asked for by %s is reported", (_, calls) => {
    const what = "m@1.0.0 is stored, but nobody asked for it who may have stored it";
    expect(violation(calls, [rowOf("1.0.0")])).toBe(what);
  });

  it("is reported when one increment has stored it besides another", () => {
    const call = callOf(patch, ok(rowOf("1.0.2")));
    const what = "test call of m is stored twice";
    const [first = ""] = findViolations({ calls: [call], rows: [rowOf("1.0.1"), rowOf("1.0.2")] });
    expect(first).toContain("is stored, but nobody asked");
    const unknown = { ...call, outcome: lost };
    const [second = ""] = findViolations({ calls: [unknown], rows: [rowOf("1.0.1"), rowOf("1.0.2")] });
    expect(second.replace(/call#\d+/, "call").replace(/ \{.*\}/, "")).toBe(`${what}, as 1.0.1 and 1.0.2`);
  });
});

describe("ALREADY_EXISTS", () => {
  const row = rowOf("1.0.0");
  const maker = callOf("1.0.0", ok(row));

  it("for a version that is not stored is reported", () => {
    expect(violation([callOf("1.0.0", taken("1.0.0", row, true))], [])).toBe("was refused, but 1.0.0 is not stored");
  });

  it.each([
    ["existing_version", { existing_version: "1.0.0+a" }],
    ["existing_digest", { existing_digest: rowOf("1.0.1").digest }],
    ["registered_at", { registered_at: "2026-01-02T03:04:05.679Z" }],
    ["identical", { identical: "false" }],
  ])("with an untrue %s is reported", (_, changes) => {
    const call = callOf("1.0.0", taken("1.0.0", row, true, changes));
    expect(violation([maker, call], [row])).toMatch(/^was refused with .* instead of /);
  });

  it("that calls other content identical is reported", () => {
    const call = callOf("1.0.0", taken("1.0.0", row, true), { content: "other" });
    expect(violation([maker, call], [row])).toMatch(/"identical":"true".* instead of .*"identical":"false"/);
  });

  it("for a row of its own is reported", () => {
    const call = callOf("1.0.0", taken("1.0.0", row, true));
    const what = "was refused for 1.0.0, which it stored itself";
    expect(findViolations({ calls: [call], rows: [row] }).join()).toContain(what);
    const later = { ...maker, startedAt: call.endedAt + 1 };
    expect(violation([later, call], [row])).toBe(what);
  });

  it("for a row with its request_id is reported", () => {
    const repeated = rowOf("1.0.0", { requestId });
    const calls = [
      callOf("1.0.0", ok(repeated), { requestId }),
      callOf("1.0.0", taken("1.0.0", repeated, true), { requestId }),
    ];
    expect(violation(calls, [repeated])).toBe("was refused for its own request_id");
  });

  it("to an increment is reported", () => {
    expect(violation([maker, callOf(patch, taken("1.0.0", row, true))], [row])).toMatch(/^was answered ALREADY_EXISTS/);
  });
});

describe("REQUEST_ID_REUSED", () => {
  const row = rowOf("1.0.0", { requestId });
  const maker = callOf("1.0.0", ok(row), { requestId });

  it("for a request_id that is not stored is reported", () => {
    const call = callOf("1.0.0", reused(row), { requestId });
    expect(violation([call], [])).toBe("was refused for a request_id that is not stored");
  });

  it("for the same content is reported", () => {
    const call = callOf("1.0.0", reused(row), { requestId });
    expect(violation([maker, call], [row])).toBe("was refused for its request_id, but 1.0.0 has the same content");
  });

  it("with an untrue existing_version is reported", () => {
    const call = callOf("1.0.0", reused(row, { existing_version: "1.0.1" }), { requestId, content: "other" });
    expect(violation([maker, call], [row])).toMatch(/^was refused with .* instead of /);
  });

  it("to a call without request_id is reported", () => {
    expect(violation([maker, callOf("1.0.0", reused(row))], [row])).toMatch(/^was answered INVALID_ARGUMENT/);
  });
});

describe("NO_BASE_VERSION", () => {
  it("is reported where a release in the range was acknowledged before", () => {
    const row = rowOf("1.0.0");
    const within: IncrementNumber = { ...patch, within: "1.x" };
    const calls = [callOf("1.0.0", ok(row)), callOf(within, failed("FAILED_PRECONDITION", "NO_BASE_VERSION"))];
    expect(violation(calls, [row])).toBe("was refused for want of a base, but 1.0.0 was there");
  });

  it("is reported for an increment without a range", () => {
    const call = callOf(patch, failed("FAILED_PRECONDITION", "NO_BASE_VERSION"));
    expect(violation([call], [])).toBe("was refused for a base without a range");
  });
});

describe("an answer that never is", () => {
  it.each([
    ["INTERNAL", callOf("1.0.0", failed("INTERNAL", "INTERNAL"))],
    ["INTERNAL of gRPC itself", callOf("1.0.0", { ...lost, code: "INTERNAL" })],
    ["a deadline that was not set", callOf("1.0.0", { ...lost, code: "DEADLINE_EXCEEDED" })],
    ["a cancellation that was not made", callOf("1.0.0", { ...lost, code: "CANCELLED" })],
    ["an unknown outcome of an explicit version", callOf("1.0.0", failed("UNKNOWN", "OUTCOME_UNKNOWN"))],
    ["an unknown outcome in spite of a request_id", callOf(patch, failed("UNKNOWN", "OUTCOME_UNKNOWN"), { requestId })],
    ["a reason under another code", callOf(patch, failed("UNKNOWN", "INCREMENT_CONTENDED"))],
  ])("such as %s is reported", (_, call) => {
    expect(violation([call], [])).toMatch(/^was answered /);
  });
});

describe("the numbers of increments", () => {
  const model = "increments";

  it.each([
    ["a patch", ["0.0.1", "0.0.3"], ["0.0.3"]],
    ["the first", ["0.0.2"], ["0.0.2"]],
    ["a minor", ["0.0.1", "0.2.0"], ["0.2.0"]],
    ["a car", ["0.0.1", "0.0.2-rc.2"], ["0.0.2-rc.2"]],
    ["the target of a train", ["0.0.1", "0.0.3-rc.1"], ["0.0.3-rc.1"]],
    ["nothing", ["0.0.1", "0.1.0", "0.1.1-rc.1", "0.1.1-rc.2", "0.1.1", "1.0.0", "1.0.1-beta.1"], []],
  ])("that skip %s are reported", (_, versions, gaps) => {
    const rows = versions.map((version) => rowOf(version, { model, content: version }));
    const calls = versions.map((version) => callOf(version, lost, { model, content: version }));
    const expected = gaps.map((version) => `increments@${version} follows no number: the one before it is missing`);
    expect(findViolations({ calls, rows })).toEqual(expected);
  });

  it("may be skipped in a model that also gets explicit versions", () => {
    expect(findViolations({ calls: [callOf("0.0.7", lost)], rows: [rowOf("0.0.7")] })).toEqual([]);
  });
});
