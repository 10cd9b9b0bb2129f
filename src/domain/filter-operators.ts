// The operators and functions of a filter: what each takes, what it answers, what it costs. A table holds one rule for
// each name; a name without a rule is refused.

import { fromJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { CheckContext, Checked } from "./filter-check.ts";
import { compareCost, cost, membershipCost, operationCost, searchCost, sizeCost, sumCost } from "./filter-cost.ts";
import type { Expression, FilterMistake } from "./filter-syntax.ts";
import { describeType, type FilterType, isCondition, isScalar, isText, unite } from "./filter-type.ts";
import { quote } from "./quote.ts";

type Call = Extract<Expression["exprKind"], { case: "callExpr" }>["value"];

interface Operation {
  readonly context: CheckContext;
  readonly node: Expression;
  /** The name as it is written in a filter. */
  readonly symbol: string;
}

interface Rule {
  readonly operands: number;
  readonly check: (operation: Operation, operands: readonly Expression[]) => Checked;
}

/** Checks a call or an operator by the rule of its name. */
export function checkCall(context: CheckContext, node: Expression, call: Call): Checked {
  const { function: name, target, args } = call;
  const symbol = /^[_@!-]/.test(name) ? name.replaceAll(/[_@]/g, "") : `${name}()`;
  const rule = rules.get(target === undefined ? name : `.${name}`);
  const operands = target === undefined ? args : [target, ...args];
  if (rule?.operands === operands.length) return rule.check({ context, node, symbol }, operands);
  const known = rule !== undefined || rules.has(name) || rules.has(`.${name}`);
  const what = known ? `calls ${quote(name)} in another way than it is defined` : `calls ${quote(name)}`;
  throw context.mistake(node, what, remedies.get(name) ?? "docs/filter.md lists the functions of a filter");
}

const remedies: ReadonlyMap<string, string> = new Map([
  ["matches", "use startsWith, endsWith or contains; there are no regular expressions"],
  ["has", "write has() around a field, such as has(metadata.source)"],
  ["exists", "write .exists(x, condition)"],
  ["all", "write .all(x, condition)"],
  ["exists_one", "write .exists_one(x, condition)"],
  ["duration", "compare registered_at with timestamps"],
  ["contains", 'write x.contains("...")'],
  ["startsWith", 'write x.startsWith("...")'],
  ["endsWith", 'write x.endsWith("...")'],
  ["size", "write size(x)"],
  ["timestamp", 'write timestamp("2026-01-01T00:00:00Z")'],
  ...["int", "uint", "double", "string", "bytes", "bool", "dyn", "type"].map(
    (name) => [name, "leave it out; there are no conversions, and numbers compare with each other"] as const,
  ),
]);

function checkLogic(operation: Operation, operands: readonly Expression[]): Checked {
  const checked = operands.map((operand) => checkCondition(operation, operand));
  const costUs = sumCost(checked, operationCost(checked, cost.logic));
  return { node: operation.node, type: { kind: "bool" }, costUs };
}

function checkCondition({ context, symbol }: Operation, operand: Expression): Checked {
  const checked = context.check(operand);
  if (isCondition(checked.type)) return checked;
  const what = `uses ${symbol} on ${describeType(checked.type)}`;
  throw context.mistake(operand, what, "write a comparison, such as x == 1");
}

function checkEquality(operation: Operation, [left, right]: readonly Expression[]): Checked {
  const [a, b] = checkPair(operation, left, right);
  const { context, node, symbol } = operation;
  const compound = [a, b].find(({ type }) => !isScalar(type));
  if (compound !== undefined) {
    const what = `compares ${describeType(compound.type)} as a whole`;
    throw context.mistake(compound.node, what, "compare single fields, elements or entries, or use has() or size()");
  }
  if (a.type.kind === "dyn" && b.type.kind === "dyn") {
    throw context.mistake(node, `compares two attributes with ${symbol}`, "compare each with a literal");
  }
  if (unite(a.type, b.type) === undefined) throw incomparable(operation, a, b);
  return { node, type: { kind: "bool" }, costUs: sumCost([a, b], cost.operation + compareCost(a.type, b.type)) };
}

function checkOrder(operation: Operation, [left, right]: readonly Expression[]): Checked {
  const [a, b] = checkPair(operation, left, right);
  const { context, node, symbol } = operation;
  const version = [a, b].find(({ type }) => type.kind === "string" && type.isVersion === true);
  if (version !== undefined) {
    throw context.mistake(node, `orders version by ${symbol}`, "text has no precedence, use the range of the request");
  }
  const united = unite(a.type, b.type);
  if (united === undefined || [a, b].some(({ type }) => !hasOrder(type))) throw incomparable(operation, a, b);
  const costUs = sumCost([a, b], operationCost([a, b]) + compareCost(a.type, b.type));
  return { node, type: { kind: "bool" }, costUs };
}

function hasOrder({ kind }: FilterType): boolean {
  return kind !== "bool" && kind !== "null";
}

function incomparable({ context, node, symbol }: Operation, a: Checked, b: Checked): FilterMistake {
  const what = `compares ${describeType(a.type)} with ${describeType(b.type)} by ${symbol}`;
  return context.mistake(node, what, "compare numbers, strings or timestamps, each with its like");
}

function checkArithmetic(operation: Operation, [left, right]: readonly Expression[]): Checked {
  const [a, b] = checkPair(operation, left, right);
  const { context, node, symbol } = operation;
  if (symbol === "+" && a.type.kind === "dyn" && b.type.kind === "dyn") {
    throw context.mistake(node, "adds two attributes, which can be texts or lists", "write 0.0 + before them");
  }
  const areInts = a.type.kind === "int" && b.type.kind === "int";
  if (areInts || (symbol !== "%" && [a, b].every(becomesDouble))) {
    return { node, type: { kind: areInts ? "int" : "double" }, costUs: sumCost([a, b], cost.operation + cost.failure) };
  }
  const what = `uses ${symbol} on ${describeType(a.type)} and ${describeType(b.type)}`;
  throw context.mistake(
    node,
    what,
    `${symbol} takes ${symbol === "%" ? "two ints" : "numbers, two ints or two doubles"}`,
  );
}

function checkNegation({ context, node, symbol }: Operation, [operand]: readonly Expression[]): Checked {
  const checked = context.check(present(operand));
  const isInt = checked.type.kind === "int";
  if (isInt || becomesDouble(checked)) {
    return {
      node,
      type: { kind: isInt ? "int" : "double" },
      costUs: sumCost([checked], cost.operation + cost.failure),
    };
  }
  throw context.mistake(node, `uses ${symbol} on ${describeType(checked.type)}`, "it takes a number");
}

/** Whether the operand is a double, or can be: numbers in attributes are doubles, and a literal is made one. */
function becomesDouble({ node, type }: Checked): boolean {
  if (type.kind === "double" || type.kind === "dyn") return true;
  const constant = node.exprKind.case === "constExpr" ? node.exprKind.value : undefined;
  if (constant?.constantKind.case !== "int64Value") return false;
  constant.constantKind = { case: "doubleValue", value: Number(constant.constantKind.value) };
  return true;
}

function checkChoice(operation: Operation, [condition, ...choices]: readonly Expression[]): Checked {
  const checked = checkCondition(operation, present(condition));
  const [a, b] = checkPair(operation, choices[0], choices[1]);
  const { context, node } = operation;
  const type = unite(a.type, b.type);
  if (type !== undefined) return { node, type, costUs: sumCost([checked, a, b], operationCost([checked])) };
  const what = `chooses between ${describeType(a.type)} and ${describeType(b.type)}`;
  throw context.mistake(node, what, "both sides of : are scalars of one type");
}

function checkIndex({ context, node }: Operation, [operand, index]: readonly Expression[]): Checked {
  const of = context.check(present(operand));
  const key = context.check(present(index));
  if (keyKinds.get(of.type.kind)?.includes(key.type.kind) === true) {
    const type = of.type.kind === "list" || of.type.kind === "map" ? of.type.of : of.type;
    return { node, type, costUs: sumCost([of, key], cost.entry) };
  }
  const remedy = 'maps take a string, such as labels["team"], lists an int, attributes either';
  throw context.mistake(node, `takes ${describeType(key.type)} as the key in ${describeType(of.type)}`, remedy);
}

const keyKinds: ReadonlyMap<FilterType["kind"], readonly FilterType["kind"][]> = new Map([
  ["map", ["string"]],
  ["list", ["int"]],
  ["dyn", ["string", "int"]],
] as const);

function checkMembership({ context, node }: Operation, [left, right]: readonly Expression[]): Checked {
  const value = context.check(present(left));
  const container = context.checkList(present(right));
  if (!holds(container.type, value.type)) {
    const what = `looks for ${describeType(value.type)} in ${describeType(container.type)}`;
    throw context.mistake(node, what, 'look for a key in a map, or for a scalar in a list, such as x in ["a", "b"]');
  }
  const ownUs = operationCost([container]) + membershipCost(container.type, value.type);
  return { node, type: { kind: "bool" }, costUs: sumCost([value, container], ownUs) };
}

function holds(container: FilterType, value: FilterType): boolean {
  if (container.kind === "map") return value.kind === "string";
  if (container.kind === "dyn") return isScalar(value) && value.kind !== "dyn";
  if (container.kind !== "list" || (container.of.kind === "dyn" && value.kind === "dyn")) return false;
  return unite(container.of, value) !== undefined;
}

function checkSearch(operation: Operation, [left, right]: readonly Expression[]): Checked {
  const [text, part] = checkPair(operation, left, right);
  const { context, node, symbol } = operation;
  const other = [text, part].find(({ type }) => !isText(type));
  if (other !== undefined) {
    throw context.mistake(other.node, `uses ${symbol} on ${describeType(other.type)}`, "it takes strings");
  }
  const ownUs = symbol === "contains()" ? searchCost(text.type, part.type) : compareCost(text.type, part.type);
  return { node, type: { kind: "bool" }, costUs: sumCost([text, part], operationCost([text, part]) + ownUs) };
}

function checkSize({ context, node }: Operation, [operand]: readonly Expression[]): Checked {
  const of = context.check(present(operand));
  if (["string", "list", "map", "dyn"].includes(of.type.kind)) {
    return { node, type: { kind: "int" }, costUs: sumCost([of], operationCost([of]) + sizeCost(of.type)) };
  }
  throw context.mistake(node, `takes the size of ${describeType(of.type)}`, "only strings, lists and maps have one");
}

function checkTimestamp({ context, node }: Operation, [operand]: readonly Expression[]): Checked {
  const { exprKind } = present(operand);
  const constant = exprKind.case === "constExpr" ? exprKind.value.constantKind : undefined;
  if (constant?.case === "stringValue" && isTimestamp(constant.value)) {
    return { node, type: { kind: "timestamp" }, costUs: cost.timestamp };
  }
  const what = constant?.case === "stringValue" ? `has ${quote(constant.value)} as a time` : "calls timestamp()";
  throw context.mistake(node, what, 'write it as RFC 3339 has it, such as timestamp("2026-01-01T00:00:00Z")');
}

function isTimestamp(text: string): boolean {
  try {
    fromJson(TimestampSchema, text);
    return true;
  } catch {
    return false;
  }
}

function checkPair(
  { context }: Operation,
  left: Expression | undefined,
  right: Expression | undefined,
): [Checked, Checked] {
  return [context.check(present(left)), context.check(present(right))];
}

// The table below says how many operands there are.
function present(operand: Expression | undefined): Expression {
  if (operand === undefined) throw new Error("an operand is missing");
  return operand;
}

const rules: ReadonlyMap<string, Rule> = new Map([
  ["_&&_", { operands: 2, check: checkLogic }],
  ["_||_", { operands: 2, check: checkLogic }],
  ["!_", { operands: 1, check: checkLogic }],
  ["_==_", { operands: 2, check: checkEquality }],
  ["_!=_", { operands: 2, check: checkEquality }],
  ["_<_", { operands: 2, check: checkOrder }],
  ["_<=_", { operands: 2, check: checkOrder }],
  ["_>_", { operands: 2, check: checkOrder }],
  ["_>=_", { operands: 2, check: checkOrder }],
  ["_+_", { operands: 2, check: checkArithmetic }],
  ["_-_", { operands: 2, check: checkArithmetic }],
  ["_*_", { operands: 2, check: checkArithmetic }],
  ["_/_", { operands: 2, check: checkArithmetic }],
  ["_%_", { operands: 2, check: checkArithmetic }],
  ["-_", { operands: 1, check: checkNegation }],
  ["_?_:_", { operands: 3, check: checkChoice }],
  ["_[_]", { operands: 2, check: checkIndex }],
  ["@in", { operands: 2, check: checkMembership }],
  ["size", { operands: 1, check: checkSize }],
  [".size", { operands: 1, check: checkSize }],
  [".startsWith", { operands: 2, check: checkSearch }],
  [".endsWith", { operands: 2, check: checkSearch }],
  [".contains", { operands: 2, check: checkSearch }],
  ["timestamp", { operands: 1, check: checkTimestamp }],
]);
