// What grpc-js answers by itself, in the words of this service: with an ErrorInfo, and INTERNAL only for faults of the
// service. Only an unknown method is answered before any interceptor.

import { constants, type ServerHttp2Stream } from "node:http2";
import { type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { deadlineExceeded, requestTooLarge, undecodableRequest, unsupportedRequest } from "../domain/call-errors.ts";
import type { RegistryError } from "../domain/errors.ts";
import { cutMessage, type ErrorLog, reasonOf, statusOf } from "./status.ts";

type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

// With these codes grpc-js means no more than this.
const MEANINGS: ReadonlyMap<number, () => RegistryError> = new Map([
  [status.INTERNAL, () => undecodableRequest(undefined)],
  [status.RESOURCE_EXHAUSTED, requestTooLarge],
  [status.UNIMPLEMENTED, unsupportedRequest],
  [status.DEADLINE_EXCEEDED, deadlineExceeded],
]);

/** How a call answers. */
export interface AnswerOptions {
  readonly log: ErrorLog;
  /** Told of every status that is sent. */
  readonly onAnswer: (answer: Status) => void;
}

/** Lets the innermost call, which sends what grpc-js answers by itself, answer in the words of this service. */
export function answerInOwnWords(call: ServerInterceptingCallInterface, { log, onAnswer }: AnswerOptions): void {
  const send = call.sendStatus.bind(call);
  // Its own answers pass no interceptor; they come through this method all the same.
  call.sendStatus = (answer: Status) => {
    if (reasonOf(answer) !== undefined) {
      onAnswer(answer);
      return send(answer);
    }
    const translated = translate(answer, log);
    onAnswer(translated);
    send(translated);
    if (translated !== answer) endSoon(call);
  };
}

const END_PATIENCE_MS = 1_000;

// Where grpc-js refuses one message of a stream of requests, it can forget to end the stream of answers.
function endSoon(call: ServerInterceptingCallInterface): void {
  const stream = streamOf(call);
  setTimeout(() => stream.closed || stream.close(constants.NGHTTP2_CANCEL), END_PATIENCE_MS).unref();
}

/** The stream of the innermost call. grpc-js has no way to reset it, and keeps it here without telling its type. */
export function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  return (call as unknown as { readonly stream: ServerHttp2Stream }).stream;
}

// Other services, such as that of the health, may repeat what they were sent, however long it is.
function translate(answer: Status, log: ErrorLog): Status {
  const toError = MEANINGS.get(answer.code);
  if (toError !== undefined) return statusOf(toError(), log);
  if (answer.details) answer.details = cutMessage(answer.details);
  return answer;
}
