import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { digestOf } from "../src/digest.ts";
import { ModelVersionSchema } from "../src/gen/stele/v1/model_version_pb.ts";

interface Vector {
  readonly name: string;
  readonly record: JsonValue;
  readonly digest: string;
}

const file = new URL("../../../docs/digest-vectors.json", import.meta.url);
const vectors: readonly Vector[] = JSON.parse(readFileSync(file, "utf8"));

for (const { name, record, digest } of vectors) {
  test(`digests ${name}`, () => {
    const message = fromJson(ModelVersionSchema, record);
    assert.equal(digestOf(message), digest);
    assert.equal(digestOf({ ...message, digest: "sha256:00", registeredBy: "somebody" }), digest);
  });
}
