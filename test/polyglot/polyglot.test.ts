import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { ModelMetadataSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { runProgram } from "../support/program.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { buildClient, languages } from "./languages.ts";
import { findMissing, itUnless } from "./toolchain.ts";

let service: ServiceProcess;
let client: RegistryClient;
let folder: string;

beforeAll(async () => {
  service = await startServiceProcess();
  client = new RegistryClient(service.address);
  folder = await mkdtemp(join(tmpdir(), "stele-polyglot-"));
});

afterAll(async () => {
  await using stopping = service;
  client[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
  expect(await stopping.stop()).toBe(0);
});

for (const language of languages) {
  const missing = await findMissing(language.toolchain);

  describe(`a generated client in ${language.name}`, () => {
    itUnless(missing, "registers, gets, lists and reads the details of an error", async () => {
      const model = `${language.name}/image_classifier`;
      const [program, ...args] = await buildClient(language, join(folder, language.name));
      await client.registerBare(model, "1.0.0");

      const output = await runProgram(program, [...args, service.address, model]);

      const stored = await client.getExact(model, "1.0.1");
      expect(stored?.metadata).toEqual(
        create(ModelMetadataSchema, {
          architecture: "CNN",
          trainingData: [{ name: "dataset_v3" }],
          metrics: { accuracy: 0.95 },
        }),
      );
      expect(JSON.parse(output)).toEqual({
        registered: "1.0.1",
        digest: stored?.digest,
        listed: ["1.0.1", "1.0.0"],
        code: "ALREADY_EXISTS",
        reason: "VERSION_ALREADY_EXISTS",
        domain: "stele",
        identical: "true",
        existing_digest: stored?.digest,
      });
    });
  });
}
