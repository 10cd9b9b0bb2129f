import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ModelMetadata, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest } from "./digest.ts";

/** What a stele.v1.ModelVersion is made of. */
export interface RecordParts {
  readonly model: string;
  /** The version as it was registered, build metadata included. */
  readonly version: string;
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
  /** undefined where there is none, or where it is left out. */
  readonly metadata?: ModelMetadata | undefined;
  /** undefined for a version that is not registered. */
  readonly registered?: { readonly at: Date; readonly by: string };
}

/** The serialized stele.v1.ModelVersion. */
export function encodeRecord({ model, version, digest, metadata, registered }: RecordParts): Uint8Array {
  const record = create(ModelVersionSchema, {
    model,
    version,
    digest: formatDigest(digest),
    ...(metadata && { metadata }),
    ...(registered && { registeredAt: timestampFromDate(registered.at), registeredBy: registered.by }),
  });
  return toBinary(ModelVersionSchema, record);
}
