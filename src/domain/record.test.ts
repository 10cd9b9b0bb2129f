import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { arbitraryMetadata, arbitraryModelName, arbitraryText } from "../../test/support/arbitrary-metadata.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import { formatDigest } from "./digest.ts";
import { encodeRecord, type RecordParts } from "./record.ts";

type DigestedParts = RecordParts & { readonly digest: Uint8Array };

const odd = ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59.999Z"];
const moments = fc.oneof(
  fc.constantFrom(...odd.map((text) => new Date(text))),
  fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
);
const records: fc.Arbitrary<DigestedParts> = fc.record({
  model: arbitraryModelName(),
  version: arbitraryVersion(),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  metadata: fc.option(arbitraryMetadata(), { nil: undefined }),
  registered: fc.option(fc.record({ at: moments, by: arbitraryText(255) }), { nil: undefined }),
});

/** The record as protobuf-es encodes it. */
function encodeByLibrary({ digest, metadata, registered, ...numbered }: DigestedParts): Buffer {
  const message = create(ModelVersionSchema, {
    ...numbered,
    digest: formatDigest(digest),
    ...(metadata && { metadata }),
    ...(registered && { registeredAt: timestampFromDate(registered.at), registeredBy: registered.by }),
  });
  return Buffer.from(toBinary(ModelVersionSchema, message));
}

test("a record is encoded as protobuf-es would, by its digest or by the text of that", () => {
  fc.assert(
    fc.property(records, (record) => {
      const expected = encodeByLibrary(record);
      expect(expected.equals(encodeRecord(record))).toBe(true);
      expect(expected.equals(encodeRecord({ ...record, digest: formatDigest(record.digest) }))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});
