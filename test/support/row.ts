import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../../src/domain/digest.ts";
import { parseModelName } from "../../src/domain/model-name.ts";
import { encodePrecedence } from "../../src/domain/precedence.ts";
import { parseKnownVersion } from "../../src/domain/version.ts";
import { Violations } from "../../src/domain/violations.ts";
import type { ModelVersionTable } from "../../src/store/schema.ts";

/** A valid row for the version, for tests that write to the store directly. */
export function rowOf(modelText: string, versionText: string): ModelVersionTable {
  const violations = new Violations();
  const model = parseModelName(modelText, "model", violations);
  if (model === undefined) throw violations.toError();
  const version = parseKnownVersion(versionText);
  const digest = recordDigest({ model, version: versionText, metadata: undefined });
  const record = create(ModelVersionSchema, { model, version: versionText, digest: formatDigest(digest) });
  return {
    model,
    precedence: encodePrecedence(version),
    version: versionText,
    record: toBinary(ModelVersionSchema, record),
    digest,
    registered_at: new Date(),
    registered_by: "",
    attempt: randomUUID(),
    request_id: null,
  };
}
