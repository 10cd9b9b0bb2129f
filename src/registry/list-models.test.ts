import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ModelSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { arbitraryModelName } from "../../test/support/arbitrary-metadata.ts";
import { arbitraryVersion } from "../../test/support/arbitrary-version.ts";
import type { ModelName } from "../domain/model-name.ts";
import { encodeModel } from "./list-models.ts";

test("a model is encoded as protobuf-es would, with or without a release", () => {
  const models = arbitraryModelName().map((name) => name as ModelName);
  const releases = fc.option(arbitraryVersion());
  fc.assert(
    fc.property(models, releases, arbitraryVersion(), (model, highest_release, highest_version) => {
      const init = { name: model, highestRelease: highest_release ?? "", highestVersion: highest_version };
      const expected = Buffer.from(toBinary(ModelSchema, create(ModelSchema, init)));
      expect(expected.equals(encodeModel({ model, highest_release, highest_version }))).toBe(true);
    }),
  );
});
