import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { GetVersionRequestSchema, ListVersionsRequestSchema } from "../../gen/stele/v1/model_registry_service_pb.ts";
import { framed } from "../support/raw-call.ts";
import { RegistryClient } from "../support/registry-client.ts";
import { errorOf } from "../support/rpc-error.ts";
import { startServiceProcess } from "../support/service-process.ts";

const LIMIT = 2;
const model = "stuck";

const { getVersion, listVersions } = ModelRegistryServiceDefinition;
const everything = toBinary(ListVersionsRequestSchema, create(ListVersionsRequestSchema, { model }));
const selector = { case: "version", value: "1.0.1" } as const;
const one = toBinary(GetVersionRequestSchema, create(GetVersionRequestSchema, { model, selector }));

it.each([
  ["listing", "listings", listVersions.path, everything],
  ["call", "calls", getVersion.path, one],
] as const)("a %s that nobody reads loses its place to one that somebody wants, after a while", async (...row) => {
  const [, kind, path, message] = row;
  const setting = kind === "listings" ? "STELE_MAX_LISTINGS" : "STELE_MAX_CALLS";
  await using service = await startServiceProcess({ [setting]: String(LIMIT) });
  using client = new RegistryClient(service.address);
  for (let n = 1; n <= 4; n += 1) {
    const number = { case: "version", value: `1.0.${n}` } as const;
    await client.register({ model, number, metadata: { attributes: { text: "x".repeat(60_000) } } });
  }
  const call = async () =>
    kind === "listings" ? await client.listAll({ model }) : await client.getExact(model, "1.0.1");
  const stuck = Array.from({ length: LIMIT }, () => callWithoutReading(service.address, path, message));
  await Promise.all(stuck.map(({ begun }) => begun));
  expect(await errorOf(call())).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    reason: "TOO_MANY_CALLS",
    metadata: { kind, limit: "2" },
    retryDelayMs: 1000,
  });
  const answer = await untilAnswered(call);
  expect(answer).toMatchObject(kind === "listings" ? ["1.0.4", "1.0.3", "1.0.2", "1.0.1"] : { version: "1.0.1" });
  const { rstCode } = await Promise.race(stuck.map(async ({ closed }) => await closed));
  expect(rstCode).toBe(11); // ENHANCE_YOUR_CALM, RFC 9113, section 7
  for (const { session } of stuck) session.destroy();
});

/** Begins a call with a small window for the answer, which is never opened again. */
function callWithoutReading(address: string, path: string, message: Uint8Array) {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: 1000 } });
  const headers = { "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.end(framed(message));
  const begun = new Promise((resolve) => stream.once("response", resolve));
  const closed = new Promise<typeof stream>((resolve) => stream.once("close", () => resolve(stream)));
  stream.on("error", () => undefined);
  return { session, begun, closed };
}

async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + 30_000; ; ) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
