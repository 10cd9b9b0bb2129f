import { readFileSync } from "node:fs";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelRegistryServiceClient } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { ModelRegistryService } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { FaultProxy } from "../conformance/fault-proxy.ts";
import { readDocument } from "../support/document.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type TestService, uniqueModel, useService } from "../support/test-service.ts";

const document = readDocument("clients.md");
const serviceConfig = /```json\n(.*?)```/s.exec(document)?.[1] ?? "";

/** A client that retries by the service config of the document alone. */
class ConfiguredClient extends RegistryClient {
  override readonly raw: ModelRegistryServiceClient;

  constructor(address: string) {
    super(address);
    this.raw = new ModelRegistryServiceClient(address, credentials.createInsecure(), {
      "grpc.service_config": serviceConfig,
      "grpc.use_local_subchannel_pool": 1,
    });
  }
}

let service: TestService;
let proxy: FaultProxy;
let client: ConfiguredClient;

beforeAll(async () => {
  service = await useService();
  proxy = new FaultProxy(service.address);
  client = new ConfiguredClient(await proxy.listen());
});

afterAll(async () => {
  client[Symbol.dispose]();
  await proxy[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

describe("the service config of docs/clients.md", () => {
  it("tries again what can succeed, and not what cannot", async () => {
    const model = uniqueModel("configured");
    proxy.expectCalls([{ status: "UNAVAILABLE", times: 2 }, { status: "ABORTED" }]);
    await client.registerBare(model, "1.0.0");
    expect(proxy.calls).toBe(4);
    proxy.expectCalls([]);
    expect((await errorOf(client.registerBare(model, "1.0.0"))).code).toBe("ALREADY_EXISTS");
    expect(proxy.calls).toBe(1);
  });

  it("bounds single calls by 30 s and listings by nothing", () => {
    const { methodConfig } = JSON.parse(serviceConfig) as { methodConfig: MethodConfig[] };
    const streams = ModelRegistryService.methods.filter(({ methodKind }) => methodKind === "server_streaming");
    const [all, listings] = methodConfig;
    expect([all?.name, all?.timeout]).toEqual([[{ service: ModelRegistryService.typeName }], "30s"]);
    expect(listings?.timeout).toBeUndefined();
    expect(listings?.name).toEqual(
      streams.map(({ name }) => ({ service: ModelRegistryService.typeName, method: name })),
    );
  });
});

describe("the versions in docs/clients.md", () => {
  it.each([
    ["go/go.mod", /^go (1\.\d+)/m, "Go $1 or newer"],
    ["go/go.mod", /google\.golang\.org\/grpc (v[\d.]+)/, "google.golang.org/grpc $1"],
    ["go/go.mod", /google\.golang\.org\/protobuf (v[\d.]+)/, "google.golang.org/protobuf $1"],
    ["python/pyproject.toml", /requires-python = ">=([\d.]+)"/, "| Python | $1 or newer"],
    ["python/pyproject.toml", /"grpcio>=([\d.]+)/, "grpcio $1 or newer"],
    ["python/pyproject.toml", /"protobuf>=([\d.]+)/, "protobuf $1 or newer"],
    ["java/pom.xml", /<maven.compiler.release>(\d+)</, "| Java | $1 or newer"],
    ["java/pom.xml", /<grpc.version>([\d.]+)</, "grpc-java $1"],
    ["java/pom.xml", /<protobuf.version>([\d.]+)</, "protobuf-java $1"],
    ["rust/Cargo.toml", /rust-version = "([\d.]+)"/, "| Rust | $1 or newer"],
    ["rust/Cargo.toml", /\ntonic = .*?"(\d+\.\d+)/, "tonic $1"],
    ["rust/Cargo.toml", /\nprost = "(\d+\.\d+)/, "prost $1"],
    ["typescript/package.json", /"node": ">=([\d.]+)"/, "Node $1 or newer"],
    ["typescript/package.json", /"@connectrpc\/connect-node": "([\d.]+)"/, "@connectrpc/connect-node $1"],
    ["typescript/package.json", /"@bufbuild\/protobuf": "([\d.]+)"/, "@bufbuild/protobuf $1"],
  ])("are those of clients/%s, %s", (file, pattern, words) => {
    const text = readFileSync(new URL(`../../clients/${file}`, import.meta.url), "utf8");
    const version = pattern.exec(text)?.[1];
    const stated = words.replace("$1", String(version));
    expect(document.includes(stated), stated).toBe(true);
  });
});

interface MethodConfig {
  readonly name: readonly object[];
  readonly timeout?: string;
}
