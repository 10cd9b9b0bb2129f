import { once } from "node:events";
import { createServer, type Http2ServerRequest } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, it } from "vitest";
import { callAsConnection } from "./connections.ts";
import { writeInteger } from "./frames.ts";
import { headersOf } from "./messages.ts";

it("writes a call that arrives as it is, across several frames", async () => {
  const server = createServer();
  const body = Buffer.alloc(40_000, "body");
  const headers = [...headersOf("/stele.v1/X"), ["x", "y".repeat(20_000)] as const, ["latin", "é\u00ff"] as const];
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1"); // A port was asked for.
  for (const chunk of callAsConnection({ headers, body }).chunks) socket.write(chunk);
  const [request] = (await once(server, "request")) as [Http2ServerRequest];
  expect(request.headers).toMatchObject(Object.fromEntries(headers));
  expect(await buffer(request)).toEqual(body);
  socket.destroy();
  server.close();
});

// RFC 7541, appendix C.1.
it.each([
  [10, 5, "0a"],
  [1337, 5, "1f9a0a"],
  [42, 8, "2a"],
])("writes %d with a prefix of %d bits as %s", (value, prefixBits, hex) => {
  expect(writeInteger(value, prefixBits).toString("hex")).toBe(hex);
});
