import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModelRegistryServiceDefinition } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { Flag, FrameType, preface, writeFrame, writeHeaderBlock } from "../fuzz/frames.ts";
import { callLines, LEVELS, lineOf } from "../support/call-log.ts";
import { type HeldListing, holdListing, listingOf } from "../support/held-listing.ts";
import { authorization, type LoggedService, lineOfCall, startLoggedService } from "../support/logged-service.ts";
import { framed } from "../support/raw-call.ts";
import { getVersion, openSession, openStream, statusOf } from "../support/raw-session.ts";
import type { ServiceProcess } from "../support/service-process.ts";

const methods = ModelRegistryServiceDefinition;
const CANCEL = 8; // RFC 9113, section 7

let logged: LoggedService;
let service: ServiceProcess;

beforeAll(async () => {
  logged = await startLoggedService();
  ({ service } = logged);
});

afterAll(async () => await logged[Symbol.asyncDispose]());

/** The line of a listing whose client stops to read, after `leave` has ended it. */
async function lineOfHeld(headers: Record<string, string>, leave: (listing: HeldListing) => void) {
  await using stack = new AsyncDisposableStack();
  return await lineOf(service, async () => {
    leave(stack.use(await holdListing(service.address, "bulky", { authorization, ...headers })));
  });
}

/** A call of GetVersion without its message, reset as gRPC's clients cancel. Node's client would end the request first. */
async function resetCall(headers: Record<string, string>): Promise<void> {
  const [host = "", port = ""] = service.address.split(":");
  const socket = connect(Number(port), host);
  const pseudo = { ":method": "POST", ":scheme": "http", ":authority": host, ":path": methods.getVersion.path };
  const block = writeHeaderBlock(
    Object.entries({ ...pseudo, te: "trailers", "content-type": "application/grpc", ...headers }),
  );
  socket.write(Buffer.concat([preface, writeFrame({ type: FrameType.SETTINGS })]));
  socket.write(writeFrame({ type: FrameType.HEADERS, flags: Flag.END_HEADERS, stream: 1 }, block));
  // The service has begun the call when it answers this.
  const question = Buffer.from("question");
  socket.write(writeFrame({ type: FrameType.PING }, question));
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) if (bytes.includes(question)) break;
  socket.write(writeFrame({ type: FrameType.RST_STREAM, stream: 1 }, Buffer.of(0, 0, 0, CANCEL)));
  socket.on("error", () => undefined).end();
  await once(socket.resume(), "close");
}

describe("a call that ends without its client getting a status", () => {
  it("is CANCELLED when its client resets it before its message", async () => {
    const line = await lineOf(service, async () => await resetCall({ authorization }));
    expect(line).toMatchObject({ level: LEVELS.info, status: "CANCELLED", caller: "token:alice" });
  });

  it("is CANCELLED when its client leaves in the middle of a listing, whose beginning is counted", async () => {
    const line = await lineOfHeld({}, ({ stream }) => stream.close(CANCEL));
    expect(line).toMatchObject({ level: LEVELS.info, status: "CANCELLED", entries: expect.any(Number) });
  });

  it("is CANCELLED when its connection is lost", async () => {
    const line = await lineOfHeld({}, ({ session }) => session.destroy());
    expect(line).toMatchObject({ status: "CANCELLED", entries: expect.any(Number) });
  });

  it("is DEADLINE_EXCEEDED when its time is up before its message", async () => {
    await using raw = await openSession(`http://${service.address}`);
    const line = await lineOf(
      service,
      async () => void openStream(raw.session, { authorization, "grpc-timeout": "30m" }),
    );
    expect(line).toMatchObject({ level: LEVELS.info, status: "DEADLINE_EXCEEDED", reason: "DEADLINE_EXCEEDED" });
  });

  it("is DEADLINE_EXCEEDED when its time is up while nobody reads its listing", async () => {
    const line = await lineOfHeld({ "grpc-timeout": "300m" }, () => undefined);
    expect(line).toMatchObject({
      status: "DEADLINE_EXCEEDED",
      reason: "DEADLINE_EXCEEDED",
      entries: expect.any(Number),
    });
  });

  it("is DEADLINE_EXCEEDED when its client left because of the deadline", async () => {
    const line = await lineOf(service, async () => await resetCall({ authorization, "grpc-timeout": "1u" }));
    expect(line).toMatchObject({ status: "DEADLINE_EXCEEDED" });
  });
});

describe("the log of calls", () => {
  it("has exactly one line for each of 200 calls that run at once, however they end", async () => {
    await using raw = await openSession(`http://${service.address}`, { settings: { initialWindowSize: 1000 } });
    const before = callLines(service).length;
    const ids = Array.from({ length: 200 }, () => randomUUID());
    await Promise.all(ids.map(async (id, index) => await mixedCall(raw.session, id, index)));
    const logged = () =>
      callLines(service)
        .slice(before)
        .map(({ requestId }) => requestId);
    await expect.poll(() => logged().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(ids.length);
    await lineOfCall(service, { "x-request-id": "last" });
    expect(logged().toSorted()).toEqual([...ids, "last"].toSorted());
    const statuses = new Set(
      callLines(service)
        .slice(before)
        .map(({ status }) => status),
    );
    const all = ["OK", "NOT_FOUND", "INVALID_ARGUMENT", "UNAUTHENTICATED", "CANCELLED", "DEADLINE_EXCEEDED"];
    expect([...statuses].toSorted()).toEqual(all.toSorted());
  });

  it("has none of a method that does not exist: grpc-js answers it before anything of this service", async () => {
    await using raw = await openSession(`http://${service.address}`);
    const stream = openStream(raw.session, { ":path": "/stele.v1.ModelRegistryService/Nothing", authorization });
    const line = await lineOf(service, async () => {
      stream.end(getVersion);
      expect(await statusOf(stream)).toMatchObject({ "grpc-status": "12" });
      await lineOfCall(service, { "x-request-id": "after" });
    });
    expect(line).toMatchObject({ requestId: "after" });
  });
});

/** A call of a kind by its number, over when the client knows what came of it. */
async function mixedCall(session: Parameters<typeof openStream>[0], id: string, number: number): Promise<void> {
  const headers = { authorization, "x-request-id": id };
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const open = (more: Record<string, string> = {}) =>
    openStream(session, { ...headers, ...more })
      .on("close", resolve)
      .resume();
  switch (number % 6) {
    case 0:
      open({ ":path": methods.listVersions.path }).end(listingOf("bulky"));
      break;
    case 1:
      open().end(framed(Buffer.from([0x0a, 1, 0x6d, 0x12, 5, ...Buffer.from("9.9.9")])));
      break;
    case 2:
      open({ ":path": methods.registerVersion.path }).end(framed(new Uint8Array()));
      break;
    case 3:
      open({ authorization: "Bearer wrong" }).end(getVersion);
      break;
    case 4: {
      const stream = open({ ":path": methods.listVersions.path });
      stream.once("response", () => stream.close(CANCEL)).end(listingOf("bulky"));
      break;
    }
    default:
      open({ "grpc-timeout": "20m" });
  }
  await closed;
}
