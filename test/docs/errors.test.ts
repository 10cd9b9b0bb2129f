import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { STATUS_CODES } from "../../src/grpc/status.ts";
import { readDocument } from "../support/document.ts";

const table = [...readDocument("errors.md").matchAll(/^\| `([A-Z_]+)` \| ([A-Z_]+) \|/gm)].map(([, reason, code]) => [
  reason,
  code,
]);
const codes = Object.entries(STATUS_CODES).map(([reason, code]) => [reason, status[code]]);

it("docs/errors.md lists every reason with its code, in the order of the code", () => {
  expect(table).toEqual(codes);
});

it("the proto's comments name every reason that a caller can meet, with its code", () => {
  const proto = readFileSync(new URL("../../proto/stele/v1/model_registry_service.proto", import.meta.url), "utf8");
  const comments = proto.replaceAll(/\n *\/\/ ?/g, " ");
  for (const [reason, code] of codes) {
    expect(comments, reason).toMatch(new RegExp(`${code}, ([A-Z_]+ or )?${reason}\\b`));
  }
});
