// What grpc-js answers by itself, in the words of this service: with an ErrorInfo, and INTERNAL only for faults of the
// service. Only an unknown method is answered before any interceptor.

import { type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import {
  deadlineExceeded,
  type RegistryError,
  requestTooLarge,
  undecodableRequest,
  unsupportedRequest,
} from "../domain/errors.ts";
import { type ErrorLog, reasonOf, statusOf } from "./status.ts";

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
    const toError = reasonOf(answer) === undefined ? MEANINGS.get(answer.code) : undefined;
    const inOwnWords = toError === undefined ? answer : statusOf(toError(), log);
    onAnswer(inOwnWords);
    send(inOwnWords);
  };
}
