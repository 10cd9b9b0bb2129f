// The services that all languages meet, started once for all of them: one behind each language's proxy, and one that speaks TLS
// and asks who calls.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { policyFile, tokensFile } from "../support/access-files.ts";
import { createAuthority, LOCALHOST } from "../support/certificates.ts";
import { startServiceProcess } from "../support/service-process.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** host:port of the service. */
    service: string;
    /** What the cases call $secure, $authority and so on. */
    names: Readonly<Record<string, string>>;
  }
}

const ciToken = "token-of-ci";
const writerToken = "token-of-writer";

/** Starts both; vitest calls it before the first test, and the answer after the last. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "stele-conformance-"));
  stack.defer(async () => await rm(folder, { recursive: true, force: true }));
  const files = await writeAccessFiles(folder);
  const service = stack.use(await startServiceProcess());
  const secure = stack.use(await startServiceProcess(files.settings));
  const silent = createServer().listen(0, "127.0.0.1");
  stack.defer(() => void silent.close());
  await once(silent, "listening");
  provide("service", service.address);
  provide("names", {
    $secure: secure.address,
    // No user but root may listen there, and root does not.
    $nowhere: "127.0.0.1:1",
    $silent: addressOf(silent),
    $ciToken: ciToken,
    $writerToken: writerToken,
    $text1KiB: "x".repeat(1024),
    $text16KiB: "x".repeat(16 * 1024),
    ...files.names,
  });
  const running = stack.move();
  return async () => await running.disposeAsync();
}

async function writeAccessFiles(folder: string) {
  const [authority, other] = await Promise.all([createAuthority(), createAuthority()]);
  const server = await authority.issue(LOCALHOST);
  const deployer = await authority.issue({ commonName: "deployer", usages: ["clientAuth"] });
  const write = async (name: string, content: string | object) => {
    const path = join(folder, name);
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  const policy = policyFile({
    "token:ci": { reads: ["conformance/*", "vision/*"], registers: ["conformance/*", "vision/*"] },
    "token:writer": { registers: ["conformance/*"] },
    "cert:deployer": { reads: ["conformance/*"] },
  });
  const authorityPath = await write("authority.pem", authority.certificate);
  return {
    settings: {
      STELE_TLS_CERT_FILE: await write("server.pem", server.certificate),
      STELE_TLS_KEY_FILE: await write("server.key", server.key),
      STELE_TLS_CLIENT_CA_FILE: authorityPath,
      STELE_TOKENS_FILE: await write("tokens.json", tokensFile({ ci: ciToken, writer: writerToken })),
      STELE_POLICY_FILE: await write("policy.json", policy),
    },
    names: {
      $authority: authorityPath,
      $otherAuthority: await write("other-authority.pem", other.certificate),
      $deployerCertificate: await write("deployer.pem", deployer.certificate),
      $deployerKey: await write("deployer.key", deployer.key),
    },
  };
}

function addressOf(server: Server): string {
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}
