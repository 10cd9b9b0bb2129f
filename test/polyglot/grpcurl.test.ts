import { afterAll, beforeAll, describe, expect } from "vitest";
import { findGrpcurl } from "../support/grpcurl.ts";
import { type Ending, endProgram } from "../support/program.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { itUnless } from "./toolchain.ts";

const grpcurl = await findGrpcurl();
const missing = grpcurl === undefined ? "neither grpcurl nor go is here" : undefined;
const registry = "stele.v1.ModelRegistryService";
const metadata = { architecture: "CNN", trainingData: [{ name: "dataset_v3" }], metrics: { accuracy: 0.95 } };

let service: ServiceProcess;

beforeAll(async () => {
  service = await startServiceProcess();
});

afterAll(async () => {
  await using stopping = service;
  expect(await stopping.stop()).toBe(0);
});

describe("grpcurl", () => {
  itUnless(missing, "lists the services", async () => {
    const { stdout } = await run(["list"]);
    expect(stdout.trim().split("\n")).toEqual(["grpc.health.v1.Health", registry]);
  });

  itUnless(missing, "describes the service, its messages and those of error details", async () => {
    const symbols = [registry, "stele.v1.ModelMetadata", "google.rpc.ErrorInfo"];
    const [inService, inMetadata, inErrorInfo] = await Promise.all(symbols.map((symbol) => run(["describe", symbol])));
    expect(inService?.stdout).toContain(
      "rpc RegisterVersion ( .stele.v1.RegisterVersionRequest ) returns ( .stele.v1.RegisterVersionResponse );",
    );
    expect(inService?.stdout).toContain("returns ( stream .stele.v1.ListVersionsResponse );");
    expect(inMetadata?.stdout).toContain("repeated .stele.v1.DatasetReference training_data = 5;");
    expect(inErrorInfo?.stdout).toContain("string reason = 1;");
  });

  itUnless(missing, "registers a version and gets it", async () => {
    const model = "grpcurl/get";
    const registered = await call("RegisterVersion", { model, version: "1.0.1", metadata });
    const stored = {
      model,
      version: "1.0.1",
      metadata,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      registeredAt: expect.any(String),
    };
    expect(registered).toEqual([{ modelVersion: stored }]);
    expect(await call("GetVersion", { model, version: "1.0.1" })).toEqual(registered);
  });

  itUnless(missing, "streams a listing", async () => {
    const model = "grpcurl/list";
    const [older] = await call("RegisterVersion", { model, version: "1.0.0" });
    const [newer] = await call("RegisterVersion", { model, version: "1.0.1", metadata });
    expect(await call("ListVersions", { model, pageSize: 1 })).toEqual([
      { versions: [newer], nextPageToken: expect.any(String) },
      { versions: [older] },
    ]);
  });

  itUnless(missing, "prints the details of an error", async () => {
    const request = { model: "grpcurl/error", version: "1.0.1", metadata };
    const [first] = await call("RegisterVersion", request);
    const { digest, registeredAt } = first?.modelVersion ?? {};

    const { exitCode, stderr } = await run([`${registry}/RegisterVersion`], request);

    // grpcurl adds 64 to the status code; ALREADY_EXISTS is 6.
    expect(exitCode).toBe(64 + 6);
    expect(JSON.parse(stderr)).toEqual({
      code: 6,
      message:
        'version 1.0.1 of model "grpcurl/error" is already registered, with the same content; ' +
        "versions never change, register the next number instead",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "VERSION_ALREADY_EXISTS",
          domain: "stele",
          metadata: {
            model: "grpcurl/error",
            version: "1.0.1",
            existing_version: "1.0.1",
            existing_digest: digest,
            registered_at: registeredAt,
            identical: "true",
          },
        },
        {
          "@type": "type.googleapis.com/google.rpc.ResourceInfo",
          resourceType: "stele.v1.ModelVersion",
          resourceName: "grpcurl/error@1.0.1",
        },
      ],
    });
  });

  itUnless(missing, "checks the health", async () => {
    // The first look at the database may still be under way.
    await expect
      .poll(async () => (await run(["grpc.health.v1.Health/Check"])).stdout, { timeout: 10_000 })
      .toBe('{\n  "status": "SERVING"\n}\n');
  });
});

interface Message {
  readonly modelVersion?: { readonly digest: string; readonly registeredAt: string };
}

// The messages of an answer, one for a unary call.
async function call(method: string, request: object): Promise<Message[]> {
  const { exitCode, stdout, stderr } = await run([`${registry}/${method}`], request);
  expect(exitCode, stderr).toBe(0);
  return stdout.split(/(?<=^\}\n)/m).map((message) => JSON.parse(message));
}

async function run(words: readonly string[], request?: object): Promise<Ending> {
  const data = request === undefined ? [] : ["-d", JSON.stringify(request)];
  return await endProgram(grpcurl ?? "", ["-plaintext", "-format-error", ...data, service.address, ...words]);
}
