import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  InvalidArgumentError,
  NotFoundError,
  RegistryError,
  registryErrorFrom,
  VersionAlreadyExistsError,
} from "../src/errors.ts";
import { badRequest, stele } from "./details.ts";

const headers = { "content-type": "application/grpc" };
const digest = `sha256:${"0".repeat(64)}`;

/** What is own of an error, without its stack. */
function contentOf(error: RegistryError): object {
  return { ...error, message: error.message };
}

test("knows of a version that is taken what the service says", () => {
  const metadata = {
    model: "cnn",
    version: "1.0.0+b",
    existing_version: "1.0.0",
    existing_digest: digest,
    registered_at: "2026-02-03T04:05:06.789Z",
    identical: "false",
  };
  const cause = new ConnectError("taken", Code.AlreadyExists, headers, [stele("VERSION_ALREADY_EXISTS", metadata)]);
  const error = registryErrorFrom(cause);
  assert.ok(error instanceof VersionAlreadyExistsError && error instanceof RegistryError);
  assert.deepEqual(contentOf(error), {
    name: "VersionAlreadyExistsError",
    message: "taken",
    code: Code.AlreadyExists,
    reason: "VERSION_ALREADY_EXISTS",
    metadata,
    model: "cnn",
    version: "1.0.0+b",
    existingVersion: "1.0.0",
    existingDigest: digest,
    registeredAt: new Date("2026-02-03T04:05:06.789Z"),
    identical: false,
  });
  assert.equal(error.cause, cause);
});

test("does not claim to know what is kept from a caller who may not read the model", () => {
  const details = [stele("VERSION_ALREADY_EXISTS", { model: "cnn", version: "1.0.0" })];
  const error = registryErrorFrom(new ConnectError("taken", Code.AlreadyExists, headers, details));
  assert.ok(error instanceof VersionAlreadyExistsError);
  const { existingVersion, existingDigest, registeredAt, identical } = error;
  assert.deepEqual([existingVersion, existingDigest, registeredAt, identical], Array(4).fill(undefined));
});

test("knows what came nearest to a range", () => {
  const metadata = { model: "cnn", range: "^2", nearest_below: "1.0.0", nearest_prerelease: "2.0.0-rc.1" };
  const details = [stele("VERSION_NOT_FOUND", metadata)];
  const error = registryErrorFrom(new ConnectError("none", Code.NotFound, headers, details));
  assert.ok(error instanceof NotFoundError);
  const { model, version, range, nearestBelow, nearestAbove, nearestPrerelease } = error;
  assert.deepEqual(
    { model, version, range, nearestBelow, nearestAbove, nearestPrerelease },
    {
      model: "cnn",
      version: undefined,
      range: "^2",
      nearestBelow: "1.0.0",
      nearestAbove: undefined,
      nearestPrerelease: "2.0.0-rc.1",
    },
  );
});

test("knows the violated fields and how many more there are, whatever the reason", () => {
  const violation = { field: "metadata.format", description: "is too long" };
  for (const reason of ["INVALID_REQUEST", "REQUEST_ID_REUSED"]) {
    const details = [stele(reason, { violations_omitted: "7" }), badRequest(violation)];
    const error = registryErrorFrom(new ConnectError("no", Code.InvalidArgument, headers, details));
    assert.ok(error instanceof InvalidArgumentError);
    assert.deepEqual([error.reason, error.violations, error.violationsOmitted], [reason, [violation], 7]);
  }
});

test("is the general error for every other reason", () => {
  const details = [stele("NO_BASE_VERSION", { within: "^7" })];
  const error = registryErrorFrom(new ConnectError("no", Code.FailedPrecondition, headers, details));
  const { code, reason, metadata } = error;
  assert.equal(error.constructor, RegistryError);
  assert.deepEqual({ code, reason, metadata }, { code: 9, reason: "NO_BASE_VERSION", metadata: { within: "^7" } });
});

test("has no reason where the failure is not the service's", () => {
  const foreign = { ...stele("VERSION_ALREADY_EXISTS").value, domain: "elsewhere" };
  const details = [{ desc: stele("").desc, value: foreign }];
  for (const cause of [
    new ConnectError("no", Code.AlreadyExists, headers, details),
    new ConnectError("no", Code.AlreadyExists, headers),
  ]) {
    const error = registryErrorFrom(cause);
    assert.equal(error.constructor, RegistryError);
    assert.deepEqual([error.code, error.reason, error.metadata], [Code.AlreadyExists, "", {}]);
  }
});

test("calls a connection that broke unavailable, whatever it was called", () => {
  const error = registryErrorFrom(new ConnectError("stream closed", Code.Canceled));
  assert.deepEqual([error.constructor, error.code, error.reason], [RegistryError, Code.Unavailable, ""]);
});

test("tells how each address of a name failed", () => {
  const failures = new AggregateError([
    new Error("connect ECONNREFUSED ::1:1"),
    new Error("connect ETIMEDOUT 10.0.0.1:1"),
  ]);
  const { code, message } = registryErrorFrom(new ConnectError("", Code.Unavailable, undefined, undefined, failures));
  assert.deepEqual(
    { code, message },
    {
      code: Code.Unavailable,
      message: "connect ECONNREFUSED ::1:1; connect ETIMEDOUT 10.0.0.1:1",
    },
  );
});
