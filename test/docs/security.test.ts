import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { consoleExamples } from "../support/console-blocks.ts";
import { readDocument } from "../support/document.ts";
import { findGrpcurl } from "../support/grpcurl.ts";
import { findProgram } from "../support/program.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";

const blocks = [...readDocument("security.md").matchAll(/^```(sh|console)\n.*?^```$/gms)].map(([block]) => block);
const grpcurl = await findGrpcurl();
const missing = grpcurl === undefined || (await findProgram("openssl")) === undefined;

it.skipIf(missing && process.env["STELE_REQUIRE_TOOLCHAINS"] !== "true")(
  `docs/security.md sets up each form as it says${missing ? " (skipped: grpcurl or openssl is not here)" : ""}`,
  async () => {
    if (grpcurl === undefined) throw new Error("neither grpcurl nor go is here");
    await using reader = await Reader.create(dirname(grpcurl));
    for (const block of blocks) await reader.follow(block);
    expect([reader.starts, reader.shown]).toEqual([3, 7]);
  },
  300_000,
);

/** Follows the document to the letter, with a home of its own; what is exported stays from block to block. */
class Reader implements AsyncDisposable {
  starts = 0;
  shown = 0;
  readonly #home: string;
  readonly #path: string;
  #service: ServiceProcess | undefined;

  private constructor(home: string, path: string) {
    this.#home = home;
    this.#path = path;
  }

  static async create(programs: string): Promise<Reader> {
    const home = await mkdtemp(join(tmpdir(), "stele-security-"));
    await writeFile(join(home, "exports"), "");
    return new Reader(home, `${programs}:${process.env["PATH"]}`);
  }

  async follow(block: string): Promise<void> {
    if (block.startsWith("```console")) return await this.#compare(block);
    const commands = block.slice("```sh\n".length, -"```".length);
    await this.#run(commands.replace("npm start\n", ""));
    if (commands.includes("npm start\n")) await this.#start();
  }

  async #compare(block: string): Promise<void> {
    for (const { command, output } of consoleExamples(block)) {
      const printed = await this.#run(command.replaceAll("localhost:50051", this.#service?.address ?? ""));
      expect(printed.trimEnd(), command).toBe(output);
      this.shown += 1;
    }
  }

  async #start(): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    const settings = [...(await this.#run("env")).matchAll(/^(STELE_\w+)=(.*)$/gm)];
    this.#service = await startServiceProcess(Object.fromEntries(settings.map(([, name, value]) => [name, value])));
    this.starts += 1;
  }

  async #run(commands: string): Promise<string> {
    const script = `set -e; source ~/exports; { ${commands}\n} 2>&1; export -p > ~/exports`;
    const env = { HOME: this.#home, PATH: this.#path };
    const { stdout } = await promisify(execFile)("bash", ["-c", script], { env });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    await rm(this.#home, { recursive: true, force: true });
  }
}
