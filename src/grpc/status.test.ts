import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type StatusObject, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  type BadRequest,
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  type PreconditionFailure,
  PreconditionFailureSchema,
  type ResourceInfo,
  ResourceInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { cancelled, deadlineExceeded } from "../domain/call-errors.ts";
import {
  databaseUnavailable,
  dependencyNotFound,
  type ErrorReason,
  invalidField,
  invalidRequest,
  modelNotFound,
  RegistryError,
  versionAlreadyExists,
} from "../domain/errors.ts";
import { statusOf } from "./status.ts";

describe("a RegistryError", () => {
  it("keeps its message and says its reason, domain and metadata in ErrorInfo", () => {
    const { code, details, sent } = seen(modelNotFound("resnet"));
    expect({ code, details }).toEqual({
      code: status.NOT_FOUND,
      details: 'model "resnet" has no versions; check the name and that you may read it, or register its first version',
    });
    expect(sent.status).toMatchObject({ code, message: details });
    expect(sent.errorInfos).toMatchObject([
      { reason: "MODEL_NOT_FOUND", domain: "stele", metadata: { model: "resnet" } },
    ]);
    expect(sent.resourceInfos).toMatchObject([{ resourceType: "stele.v1.Model", resourceName: "resnet" }]);
    expect([...sent.badRequests, ...sent.retryInfos]).toEqual([]);
  });

  it("says in RetryInfo when to try again", () => {
    const { code, sent } = seen(databaseUnavailable(new Error("ECONNREFUSED")));
    expect(code).toBe(status.UNAVAILABLE);
    expect(sent.retryInfos.map(({ retryDelay }) => retryDelay && durationMs(retryDelay))).toEqual([1000]);
  });

  it("lists its violations in BadRequest, with their reasons", () => {
    const { code, sent } = seen(invalidRequest([invalidField("model", "is empty"), invalidField("version", "is not")]));
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(sent.badRequests.flatMap(({ fieldViolations }) => fieldViolations)).toMatchObject([
      { field: "model", description: "is empty", reason: "INVALID_FIELD" },
      { field: "version", description: "is not", reason: "INVALID_FIELD" },
    ]);
    expect(sent.errorInfos[0]?.metadata).toEqual({ field: "model", description: "is empty", violations: "2" });
  });

  it("lists the preconditions that failed in PreconditionFailure", () => {
    const { code, sent } = seen(dependencyNotFound([{ model: "base", version: { text: "1.0.0" } }]));
    expect(code).toBe(status.FAILED_PRECONDITION);
    expect(sent.preconditionFailures.flatMap(({ violations }) => violations)).toMatchObject([
      { type: "DEPENDENCY", subject: "base@1.0.0", description: "is not registered" },
    ]);
    expect(sent.badRequests).toEqual([]);
  });

  it("is not logged", () => {
    const log = { error: vi.fn(), warn: vi.fn() };
    statusOf(modelNotFound("resnet"), log);
    expect(log.error).not.toHaveBeenCalled();
  });

  it("keeps everything of the longest names that the registry takes", () => {
    const [model, version] = ["m".repeat(255), `1.0.0-${"v".repeat(122)}`];
    const existing = { version, digest: `sha256:${"0".repeat(64)}`, registeredAt: new Date() };
    const { details, sent } = seen(versionAlreadyExists(model, version, { existing, identical: false }));
    expect(details).toMatch(/register the next number instead$/);
    expect(sent.errorInfos[0]?.metadata).toEqual({
      model,
      version,
      existing_version: version,
      existing_digest: existing.digest,
      registered_at: existing.registeredAt.toISOString(),
      identical: "false",
    });
    expect(sent.resourceInfos[0]?.resourceName).toBe(`${model}@${version}`);
  });
});

describe("what is too much", () => {
  it("of violations is counted in violations_omitted", () => {
    const violations = Array.from({ length: 100 }, (_, n) => invalidField(`artifacts[${n}].uri`, "is ".repeat(80)));
    const { sent } = seen(new RegistryError("INVALID_REQUEST", "artifacts[0].uri is", { violations }));
    const shown = sent.badRequests.flatMap(({ fieldViolations }) => fieldViolations);
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.map(({ field }) => field)).toEqual(violations.slice(0, shown.length).map(({ field }) => field));
    expect(sent.errorInfos[0]?.metadata).toEqual({ violations_omitted: `${100 - shown.length}` });
  });

  it("of preconditions is counted in violations_omitted", () => {
    const missing = Array.from({ length: 256 }, (_, n) => ({
      model: `${"m".repeat(250)}${n}`,
      version: { text: "1.0.0" },
    }));
    const { sent } = seen(dependencyNotFound(missing));
    const shown = sent.preconditionFailures.flatMap(({ violations }) => violations).length;
    expect(shown).toBeGreaterThan(5);
    expect(sent.errorInfos[0]?.metadata).toMatchObject({ missing: "256", violations_omitted: `${256 - shown}` });
  });

  it("of metadata is left out", () => {
    const entries = Array.from({ length: 500 }, (_, n) => [`key${n}`, "value"]);
    const { sent } = seen(new RegistryError("INTERNAL", "text", { metadata: Object.fromEntries(entries) }));
    expect(sent.errorInfos[0]?.metadata["key0"]).toBe("value");
    expect(sent.size).toBeLessThan(2048);
  });

  it("of a text is cut at a character, with an ellipsis", () => {
    const { details, sent } = seen(
      new RegistryError("INTERNAL", "é".repeat(5000), { metadata: { text: "😀".repeat(500) } }),
    );
    expect(details).toMatch(/^é+…$/);
    expect(sent.errorInfos[0]?.metadata["text"]).toMatch(/^(😀)+…$/u);
  });
});

describe("an unknown error", () => {
  it("becomes INTERNAL with an id that the log has beside the cause", () => {
    const log = { error: vi.fn(), warn: vi.fn() };
    const cause = new Error("select * from secrets");
    const { code, details, metadata } = statusOf(cause, log);
    const [[{ id }]] = log.error.mock.calls as [[{ id: string }]];
    expect(log.error.mock.calls).toEqual([
      [{ id: expect.stringMatching(/^[0-9a-f-]{36}$/), err: cause }, "internal error"],
    ]);
    expect({ code, details }).toEqual({
      code: status.INTERNAL,
      details: `internal error ${id}; tell the operator of the service this id`,
    });
    expect(JSON.stringify(metadata.toJSON())).not.toContain("secrets");
  });

  it.each([undefined, null, "text", 7, {}])("may be anything: %j", (thrown) => {
    expect(seen(thrown).code).toBe(status.INTERNAL);
  });
});

describe("an AbortError", () => {
  const abortError = new DOMException("This operation was aborted", "AbortError");

  it.each([
    [deadlineExceeded(), status.DEADLINE_EXCEEDED],
    [cancelled(), status.CANCELLED],
  ])("stands for the reason why the call was aborted: %s", (reason, code) => {
    const { sent, ...rest } = seen(abortError, reason);
    expect(rest).toEqual({ code, details: reason.message });
    expect(sent.errorInfos).toMatchObject([{ reason: reason.reason }]);
  });

  it("is an unknown error in a call that was not aborted", () => {
    expect(seen(abortError).code).toBe(status.INTERNAL);
  });
});

it("whatever the error, its status has one ErrorInfo, is well-formed and stays under 4 KB", () => {
  fc.assert(
    fc.property(registryErrors, (error) => {
      const { details, sent } = seen(error);
      expect(details.isWellFormed()).toBe(true);
      expect(sent.errorInfos).toHaveLength(1);
      expect(sent.size + encodeURI(details).length).toBeLessThan(4096);
      const shown =
        sent.badRequests.flatMap(({ fieldViolations }) => fieldViolations).length +
        sent.preconditionFailures.flatMap(({ violations }) => violations).length;
      const total = error.violations.length + error.preconditions.length;
      expect(shown).toBeGreaterThanOrEqual(Math.min(1, total));
      const omitted = sent.errorInfos[0]?.metadata["violations_omitted"] ?? "0";
      expect(shown + Number(omitted)).toBe(total);
    }),
    { numRuns: 500 },
  );
});

// Any UTF-16, lone surrogates included, and long runs of the characters that are costly in each encoding.
const texts = fc.oneof(
  fc.string({ unit: fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 300 }),
  fc
    .tuple(fc.constantFrom("a", " ", "%", "é", "€", "😀", "\ud800", "\udc00"), fc.nat({ max: 20_000 }))
    .map(([character, times]) => character.repeat(times)),
);
const reasons = fc.constantFrom<ErrorReason>("INVALID_REQUEST", "VERSION_ALREADY_EXISTS", "DATABASE_UNAVAILABLE");
const keys = fc.stringMatching(/^[a-z][a-zA-Z0-9_-]{1,30}$/).filter((key) => key !== "violations_omitted");
const violations = fc.record({ field: texts, description: texts, reason: fc.constant("INVALID_FIELD" as const) });
const preconditions = fc.record({ type: fc.constant("DEPENDENCY" as const), subject: texts, description: texts });
const few = { maxLength: 5 };
const many = { minLength: 50, maxLength: 200 };
const details = fc.record(
  {
    metadata: fc.dictionary(keys, texts, { maxKeys: 100 }),
    violations: fc.oneof(fc.array(violations, few), fc.array(violations, many)),
    preconditions: fc.oneof(fc.array(preconditions, few), fc.array(preconditions, many)),
    resource: fc.record({ type: fc.constant("stele.v1.ModelVersion" as const), name: texts }),
    retryDelayMs: fc.nat(),
  },
  { requiredKeys: [] },
);
const registryErrors = fc
  .tuple(reasons, texts, details)
  .map(([reason, message, more]) => new RegistryError(reason, message, more));

interface Sent {
  readonly size: number;
  readonly status: Status;
  readonly errorInfos: ErrorInfo[];
  readonly badRequests: BadRequest[];
  readonly preconditionFailures: PreconditionFailure[];
  readonly resourceInfos: ResourceInfo[];
  readonly retryInfos: RetryInfo[];
}

/** The status of what was thrown, its details decoded. */
function seen(thrown: unknown, abortReason?: unknown): Pick<StatusObject, "code" | "details"> & { sent: Sent } {
  const { code, details, metadata } = statusOf(thrown, { error: () => undefined, warn: () => undefined }, abortReason);
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(bytes)) throw new Error("there are no details");
  const message = fromBinary(StatusSchema, bytes);
  const all = <T>(unpack: (any: Status["details"][number]) => T | undefined): T[] =>
    message.details.map(unpack).filter((detail) => detail !== undefined);
  const sent = {
    size: bytes.length,
    status: message,
    errorInfos: all((any) => anyUnpack(any, ErrorInfoSchema)),
    badRequests: all((any) => anyUnpack(any, BadRequestSchema)),
    preconditionFailures: all((any) => anyUnpack(any, PreconditionFailureSchema)),
    resourceInfos: all((any) => anyUnpack(any, ResourceInfoSchema)),
    retryInfos: all((any) => anyUnpack(any, RetryInfoSchema)),
  };
  return { code, details, sent };
}
