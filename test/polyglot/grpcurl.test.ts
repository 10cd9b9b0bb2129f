import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ModelRegistryService } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { consoleExamples } from "../support/console-blocks.ts";
import { readDocument } from "../support/document.ts";
import { findGrpcurl } from "../support/grpcurl.ts";
import { endProgram } from "../support/program.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";
import { itUnless } from "./toolchain.ts";

const grpcurl = await findGrpcurl();
const missing = grpcurl === undefined ? "neither grpcurl nor go is here" : undefined;
const examples = consoleExamples(readDocument("grpcurl.md"));

let service: ServiceProcess;
let home: string;

beforeAll(async () => {
  service = await startServiceProcess();
  home = await mkdtemp(join(tmpdir(), "stele-grpcurl-"));
  await mkdir(join(home, "stele"));
  await symlink(inject("names")["$authority"] ?? "", join(home, "stele", "ca.pem"));
});

afterAll(async () => {
  await using stopping = service;
  await rm(home, { recursive: true, force: true });
  expect(await stopping.stop()).toBe(0);
});

// One after the other on one service, as a reader would.
describe("docs/grpcurl.md", () => {
  if (missing !== undefined) {
    itUnless(missing, "shows what every command prints", async () => {});
    return;
  }

  for (const { command, output } of examples) {
    it(`shows what is printed by ${command.split("\n")[0]}`, async () => {
      expect(withoutTimes(await run(command))).toBe(withoutTimes(output));
    });
  }

  it("has a command for each operation, and for looking around", () => {
    const commands = examples.map(({ command }) => command).join("\n");
    const operations = ModelRegistryService.methods.map(({ name }) => `${ModelRegistryService.typeName}/${name}`);
    for (const words of [...operations, " list", " describe", "-format-error", "grpc.health.v1.Health/Check"]) {
      expect(commands).toContain(words);
    }
  });

  it("names the release of grpcurl that is tried", () => {
    const source = readFileSync(new URL("../support/grpcurl.ts", import.meta.url), "utf8");
    const version = /const version = "(.*)"/.exec(source)?.[1];
    expect(readDocument("grpcurl.md")).toContain(`cmd/grpcurl@${version}\``);
  });
});

async function run(command: string): Promise<string> {
  const addressed = command
    .replaceAll("localhost:50051", service.address)
    .replaceAll("registry:50051", inject("names")["$secure"] ?? "");
  const PATH = `${dirname(grpcurl ?? "")}${delimiter}${process.env["PATH"]}`;
  const env = { PATH, HOME: home, TOKEN: inject("names")["$ciToken"] ?? "" };
  return (await endProgram("bash", ["-c", `{ ${addressed}\n} 2>&1`], { env })).stdout.trimEnd();
}

function withoutTimes(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME");
}
