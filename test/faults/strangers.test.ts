// What somebody without credentials can make the service keep: next to nothing.

import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { expect, it } from "vitest";
import { framed } from "../support/raw-call.ts";
import { type ServiceProcess, startServiceProcess } from "../support/service-process.ts";

const watch = "/grpc.health.v1.Health/Watch";
const check = "/grpc.health.v1.Health/Check";
const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

it.each([
  ["that watch the health of names as long as a message may be", watchLongNames],
  ["that never finish asking for the health", halfAsk],
  ["that ask for reflection and do not read", askWithoutReading],
])("is flat under calls %s", async (_what, call) => {
  await using service = await startServiceProcess();
  const session = connect(`http://${service.address}`);
  session.on("error", () => undefined);
  await call(session, 20);
  const before = residentMib(service);
  await call(session, 200);
  const other = connect(`http://${service.address}`);
  expect(await statusOf(open(other, check).end(framed(new Uint8Array())))).toBe("0");
  // What they send or ask for is some 800 MiB.
  expect(residentMib(service) - before).toBeLessThan(100);
  session.destroy();
  other.destroy();
});

function open(session: ClientHttp2Session, path: string) {
  const headers = { "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  return stream.on("error", () => undefined);
}

function statusOf(stream: ReturnType<typeof open>): Promise<string> {
  return new Promise((resolve) => {
    stream.on("response", (headers) => "grpc-status" in headers && resolve(String(headers["grpc-status"])));
    stream.on("trailers", (trailers) => resolve(String(trailers["grpc-status"])));
    stream.on("close", () => resolve("none"));
    stream.resume();
  });
}

async function watchLongNames(session: ClientHttp2Session, count: number): Promise<void> {
  const size = 4_000_000;
  const name = Buffer.concat([Buffer.from([0x0a, 0x80, 0x92, 0xf4, 0x01]), Buffer.alloc(size, "x")]);
  for (let n = 0; n < count; n += 1) {
    const stream = open(session, watch).end(framed(name));
    expect(await statusOf(stream)).toMatch(/^(8|none)$/);
  }
}

async function halfAsk(session: ClientHttp2Session, count: number): Promise<void> {
  const streams = Array.from({ length: count }, () => {
    const stream = open(session, check);
    const begun = framed(Buffer.alloc(4_000_000, "x")).subarray(0, -1);
    stream.write(begun);
    return statusOf(stream);
  });
  expect(new Set(await Promise.all(streams)).isSubsetOf(new Set(["8", "none"]))).toBe(true);
}

async function askWithoutReading(session: ClientHttp2Session, count: number): Promise<void> {
  // file_containing_symbol [4] of the largest file.
  const symbol = Buffer.from("stele.v1.ModelRegistryService");
  const question = framed(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
  const written = Array.from({ length: count }, async () => {
    const stream = open(session, reflection);
    stream.pause();
    const questions = Buffer.concat(Array.from({ length: 300 }, () => question));
    await new Promise((resolve) => stream.write(questions, resolve));
  });
  await Promise.all(written);
}

function residentMib({ pid }: ServiceProcess): number {
  const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
