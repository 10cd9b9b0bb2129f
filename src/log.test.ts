import { expect, it } from "vitest";
import { describeError } from "./log.ts";

it("tells of an error what it is and why, and nothing that hangs on it", () => {
  const cause = Object.assign(new Error("gone"), { code: "57P01", client: { secretKey: 42 } });
  const error = Object.assign(new TypeError("no answer", { cause }), { connectionParameters: { password: "hidden" } });
  expect(describeError(error)).toEqual({
    type: "TypeError",
    message: "no answer",
    code: undefined,
    stack: error.stack,
    cause: { type: "Error", message: "gone", code: "57P01", stack: cause.stack, cause: undefined },
  });
});

it.each([
  [undefined, undefined],
  ["words", { type: "string", message: "words", code: undefined, stack: undefined, cause: undefined }],
])("tells of %j thrown as much as there is", (thrown, told) => {
  expect(describeError(thrown)).toEqual(told);
});
