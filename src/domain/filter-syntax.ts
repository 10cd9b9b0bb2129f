// The syntax of a filter. The library parses it; what is left open it parses in time that grows with the cube (0.1 s
// for 300 of "["), so that brackets are counted first.

import { parse } from "@bufbuild/cel";
import { quote } from "./quote.ts";

/** A node of the syntax tree. */
export type Expression = NonNullable<ReturnType<typeof parse>["expr"]>;

/** A parsed filter. */
export interface FilterSyntax {
  readonly root: Expression;
  /** Where the node is in the text; the first character is 1. */
  readonly positionOf: (node: Expression) => number;
  /** The name of the macro that the node was written as, such as `exists`. */
  readonly macroOf: (node: Expression) => string | undefined;
}

/** What is wrong with a filter; the message describes the violation. */
export class FilterMistake extends Error {
  override readonly name = "FilterMistake";
}

/** The longest filter, in bytes. */
const MAX_FILTER_BYTES = 1024;

const MAX_BRACKETS = 100;

/** The tree of `text`. Throws a FilterMistake where it is not the syntax of CEL. */
export function parseFilterSyntax(text: string): FilterSyntax {
  checkSize(text);
  const { expr: root, sourceInfo } = parseExpression(text);
  if (root === undefined) throw new FilterMistake("is no expression; leave it out for every version");
  return {
    root,
    positionOf: (node) => characterAt(text, offsetOf(node, text, sourceInfo?.positions ?? {})),
    macroOf: (node) => functionOf(sourceInfo?.macroCalls[node.id.toString()]),
  };
}

function checkSize(text: string): void {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > MAX_FILTER_BYTES) {
    throw new FilterMistake(`has ${sizeBytes} bytes; a filter has at most ${MAX_FILTER_BYTES}`);
  }
  const brackets = text.match(/[([{]/g)?.length ?? 0;
  if (brackets > MAX_BRACKETS) {
    throw new FilterMistake(`opens ${brackets} brackets; a filter has at most ${MAX_BRACKETS}`);
  }
}

// The parser throws at any text that breaks the grammar, and at escapes and numbers that are none.
function parseExpression(text: string): ReturnType<typeof parse> {
  try {
    return parse(text);
  } catch (error) {
    throw syntaxMistake(text, failedAt(error));
  }
}

function syntaxMistake(text: string, offset: number | undefined): FilterMistake {
  if (offset === undefined) return new FilterMistake("is no CEL expression; docs/filter.md shows what can be written");
  const what = offset >= text.length ? "ends too early" : `is no CEL expression from ${quote(text.slice(offset))}`;
  return new FilterMistake(`${what} at ${characterAt(text, offset)}; docs/filter.md shows what can be written`);
}

// The parser's errors have a location that the library does not declare.
function failedAt(error: unknown): number | undefined {
  const { location } = error as { location?: { start?: { offset?: unknown } } };
  const offset = location?.start?.offset;
  return typeof offset === "number" ? offset : undefined;
}

/** Where a node is said to be: an operator at itself, a member behind its dot, && and || at their first operand. */
function offsetOf(node: Expression, text: string, positions: Readonly<Record<string, number>>): number {
  const own = skipSpace(text, positions[node.id.toString()] ?? 0);
  const { exprKind } = node;
  if (exprKind.case === "selectExpr" && !exprKind.value.testOnly) return skipSpace(text, own + 1);
  if (exprKind.case !== "callExpr") return own;
  const [first] = exprKind.value.args;
  if (/^_(&&|\|\|)_$/.test(exprKind.value.function) && first !== undefined) return offsetOf(first, text, positions);
  return exprKind.value.target === undefined ? own : skipSpace(text, own + 1);
}

// The parser says of an operator where the space before it begins.
function skipSpace(text: string, offset: number): number {
  return offset + (/^\s*/.exec(text.slice(offset))?.[0].length ?? 0);
}

function characterAt(text: string, offset: number): number {
  return [...text.slice(0, offset)].length + 1;
}

function functionOf(node: Expression | undefined): string | undefined {
  return node?.exprKind.case === "callExpr" ? node.exprKind.value.function : undefined;
}
