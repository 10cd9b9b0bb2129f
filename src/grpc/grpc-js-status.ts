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
import { type ErrorLog, hasDetails, statusOf } from "./status.ts";

type Status = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

// With these codes grpc-js means no more than this.
const MEANINGS: ReadonlyMap<number, () => RegistryError> = new Map([
  [status.INTERNAL, () => undecodableRequest(undefined)],
  [status.RESOURCE_EXHAUSTED, requestTooLarge],
  [status.UNIMPLEMENTED, unsupportedRequest],
  [status.DEADLINE_EXCEEDED, deadlineExceeded],
]);

/** Lets the innermost call, which sends what grpc-js answers by itself, answer in the words of this service. */
export function answerInOwnWords(call: ServerInterceptingCallInterface, log: ErrorLog): void {
  const send = call.sendStatus.bind(call);
  // Its own answers pass no interceptor; they come through this method all the same.
  call.sendStatus = (answer: Status) => {
    const toError = hasDetails(answer) ? undefined : MEANINGS.get(answer.code);
    send(toError === undefined ? answer : statusOf(toError(), log));
  };
}
