// A bare grpc-js server that answers from memory with the very bytes that the service answers, whatever is asked. It
// asks the service once for each, when it starts.

import { connect } from "node:http2";
import type { handleServerStreamingCall, handleUnaryCall } from "@grpc/grpc-js";
import { ModelRegistryServiceDefinition as methods } from "../../gen/stele/v1/model_registry_service_grpc.ts";
import { readOrder } from "../child-program.ts";
import { sameBytes, serve } from "./floor-server.ts";
import { callRaw, frameMessage } from "./grpc-call.ts";

/** What the server is told when it starts: whom to ask, and what, in base64. */
export interface BareServerOrder {
  readonly address: string;
  readonly requests: Readonly<Record<"getVersion" | "listVersions" | "listModels", string>>;
}

/** A stream of more messages repeats the first so many. */
const MAX_MESSAGES = 64;

const { address, requests } = readOrder<BareServerOrder>();

async function ask(method: keyof typeof requests): Promise<Buffer[]> {
  const session = connect(`http://${address}`);
  const messages: Buffer[] = [];
  const body = frameMessage(Buffer.from(requests[method], "base64"));
  const status = await callRaw(session, { path: methods[method].path, body }, (message) => {
    messages.push(Buffer.from(message));
    return messages.length < MAX_MESSAGES;
  });
  session.close();
  if (messages.length === 0) throw new Error(`${method} answered the grpc-status ${status}`);
  return messages;
}

function answerUnary(messages: readonly Buffer[]): handleUnaryCall<Buffer, Buffer> {
  return (_call, callback) => callback(null, messages[0]);
}

/** The messages once, where these are all; otherwise again and again, as long as the client reads. */
function answerStream(messages: readonly Buffer[]): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    const source = messages.length < MAX_MESSAGES ? messages.values() : repeat(messages);
    const writeMore = (): void => {
      for (let next = source.next(); !next.done; next = source.next()) {
        if (call.write(next.value)) continue;
        call.once("drain", writeMore);
        return;
      }
      call.end();
    };
    writeMore();
  };
}

function* repeat(messages: readonly Buffer[]): Generator<Buffer, never, undefined> {
  for (;;) yield* messages;
}

const codec = {
  requestSerialize: sameBytes,
  requestDeserialize: sameBytes,
  responseSerialize: sameBytes,
  responseDeserialize: sameBytes,
};
const { getVersion, listVersions, listModels } = methods;
serve(
  {
    getVersion: { ...getVersion, ...codec },
    listVersions: { ...listVersions, ...codec },
    listModels: { ...listModels, ...codec },
  },
  {
    getVersion: answerUnary(await ask("getVersion")),
    listVersions: answerStream(await ask("listVersions")),
    listModels: answerStream(await ask("listModels")),
  },
);
