import { createHash } from "node:crypto";
import { create, toJson } from "@bufbuild/protobuf";
import canonicalize from "canonicalize";
import { type ModelVersion, ModelVersionSchema } from "./gen/stele/v1/model_version_pb.ts";

/**
 * The digest of a record by docs/digest.md, `sha256:` and 64 hexadecimal digits, computed here from its model, version
 * and metadata. It proves that a record is what was registered:
 *
 *     digestOf(record) === record.digest
 *
 * @throws Error when a number of the metadata is not finite.
 */
export function digestOf({ model, version, metadata }: ModelVersion): string {
  const content = create(
    ModelVersionSchema,
    metadata === undefined ? { model, version } : { model, version, metadata },
  );
  const canonical = canonicalize(toJson(ModelVersionSchema, content));
  return `sha256:${createHash("sha256").update(`stele-record-v1\n${canonical}`, "utf8").digest("hex")}`;
}
