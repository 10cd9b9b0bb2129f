import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Session } from "../src/session.ts";

test("a session that is ended while it connects leaves no socket behind", async () => {
  const sockets: Socket[] = [];
  const session = new Session("http://registry.example:50051", {
    createConnection: (url, options) => {
      const socket = connect({ ...options, host: url.hostname, port: 50_051, lookup: () => {} });
      sockets.push(socket);
      return socket;
    },
  });
  for (let count = 1; count <= 2; count++) {
    const request = session.request("POST", "/", {}, {});
    assert.deepEqual(
      sockets.map(({ connecting }) => connecting),
      [...Array(count - 1).fill(false), true],
    );
    session.abort();
    await assert.rejects(request, { message: /connection aborted/ });
  }
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    [true, true],
  );
});
