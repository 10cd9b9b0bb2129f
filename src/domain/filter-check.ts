// Checks a filter's tree against the message descriptor before the first record: names, types, and what one evaluation
// can cost for the largest record. It also brings the tree to what the library evaluates well: attributes become a
// variable of their own, because the library converts them whole at each access, and an int literal that meets a
// double becomes a double, because it has no arithmetic between the two.

import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { cost, nameCost, sumCost } from "./filter-cost.ts";
import { checkCall } from "./filter-operators.ts";
import { type Expression, FilterMistake, type FilterSyntax } from "./filter-syntax.ts";
import {
  describeType,
  type FilterType,
  isCondition,
  maxCountOf,
  typeOfElement,
  typeOfField,
  unite,
} from "./filter-type.ts";
import { quote } from "./quote.ts";

/** The variable that metadata.attributes become; no name in a filter has such a character. */
export const ATTRIBUTES_VARIABLE = "@attributes";

/** A node that keeps the rules. */
export interface Checked {
  readonly node: Expression;
  readonly type: FilterType;
  /** What an evaluation takes at most, in microseconds. */
  readonly costUs: number;
}

/** What the rules of operators and functions may ask of the checker. */
export interface CheckContext {
  readonly check: (node: Expression) => Checked;
  readonly checkList: (node: Expression) => Checked;
  readonly mistake: (node: Expression, what: string, remedy: string) => FilterMistake;
}

/** Throws a FilterMistake where the tree breaks a rule; answers what one evaluation takes at most, in microseconds. */
export function checkFilter(syntax: FilterSyntax): number {
  const { type, costUs } = new FilterCheck(syntax).check(syntax.root);
  if (isCondition(type)) return costUs;
  throw new FilterMistake(`is ${describeType(type)} as a whole; write a condition, such as version == "1.0.0"`);
}

class FilterCheck implements CheckContext {
  readonly #syntax: FilterSyntax;
  #loop: { readonly name: string; readonly of: FilterType } | undefined;

  constructor(syntax: FilterSyntax) {
    this.#syntax = syntax;
  }

  mistake(node: Expression, what: string, remedy: string): FilterMistake {
    return new FilterMistake(`${what} at ${this.#syntax.positionOf(node)}; ${remedy}`);
  }

  check(node: Expression): Checked {
    const { exprKind } = node;
    switch (exprKind.case) {
      case "constExpr":
        return { node, type: this.#typeOfLiteral(node), costUs: cost.literal };
      case "identExpr":
        return this.#checkName(node, exprKind.value.name);
      case "selectExpr":
        return this.#checkSelection(node, exprKind.value);
      case "callExpr":
        return checkCall(this, node, exprKind.value);
      case "comprehensionExpr":
        return this.#checkLoop(node, exprKind.value);
      case "listExpr":
        throw this.mistake(
          node,
          "has a list",
          'write lists only behind in, or before .exists, such as x in ["a", "b"]',
        );
      default:
        throw this.mistake(node, "builds a map or message", "compare its fields one by one");
    }
  }

  /** A list literal, where one may be. */
  checkList(node: Expression): Checked {
    if (node.exprKind.case !== "listExpr") return this.check(node);
    const elements = node.exprKind.value.elements.map((element) => this.check(element));
    const [first] = elements;
    if (first === undefined) throw this.mistake(node, "has an empty list", "name at least one element");
    let of = first.type;
    for (const element of elements) {
      const united = unite(of, element.type);
      if (united === undefined)
        throw this.mistake(element.node, "has a list of several types", "use scalars of one type");
      of = united;
    }
    return { node, type: { kind: "list", of, maxCount: elements.length }, costUs: sumCost(elements, cost.operation) };
  }

  #typeOfLiteral(node: Expression): FilterType {
    const constant = node.exprKind.case === "constExpr" ? node.exprKind.value.constantKind : undefined;
    switch (constant?.case) {
      case "boolValue":
        return { kind: "bool" };
      case "doubleValue":
        if (!Number.isFinite(constant.value))
          throw this.mistake(node, "has a number beyond doubles", "write a smaller one");
        return { kind: "double" };
      case "int64Value":
        if (constant.value === BigInt.asIntN(64, constant.value)) return { kind: "int" };
        throw this.mistake(node, "has an int beyond 64 bits", "write a double, such as 1e20");
      case "stringValue":
        return { kind: "string", maxBytes: Buffer.byteLength(constant.value) };
      case "nullValue":
        return { kind: "null" };
      default:
        throw this.mistake(node, "has an unsigned int or bytes", "write 3 or a string");
    }
  }

  #checkName(node: Expression, name: string): Checked {
    const type = name === this.#loop?.name ? this.#loop.of : this.#typeOfMember(node, RECORD, name);
    return { node, type, costUs: nameCost(type) };
  }

  #typeOfMember(node: Expression, { desc, maxBytes }: MessageType, name: string): FilterType {
    const field = desc.fields.find((each) => each.name === name);
    if (field !== undefined) return typeOfField(field, maxBytes);
    const names = desc.fields.map((each) => each.name).join(", ");
    throw this.mistake(node, `has no field ${quote(name)}`, `${desc.name} has ${names}`);
  }

  #checkSelection(
    node: Expression,
    selection: { operand?: Expression | undefined; field: string; testOnly: boolean },
  ): Checked {
    const operand = this.check(present(selection.operand));
    const type = this.#typeOfSelection(node, operand.type, selection.field);
    const costUs = operand.costUs + (operand.type.kind === "message" ? cost.field : cost.entry);
    if (selection.testOnly) return { node, type: { kind: "bool" }, costUs };
    if (operand.type.kind !== "message" || type.kind !== "dyn") return { node, type, costUs };
    node.exprKind = { case: "identExpr", value: { $typeName: "cel.expr.Expr.Ident", name: ATTRIBUTES_VARIABLE } };
    return { node, type, costUs: nameCost(type) };
  }

  #typeOfSelection(node: Expression, operand: FilterType, field: string): FilterType {
    if (operand.kind === "message") return this.#typeOfMember(node, operand, field);
    if (operand.kind === "map") return operand.of;
    if (operand.kind === "dyn") return operand;
    const type = describeType(operand);
    throw this.mistake(node, `takes ${quote(field)} of ${type}`, "only messages, maps and attributes have members");
  }

  #checkLoop(node: Expression, loop: Loop): Checked {
    const macro = this.#syntax.macroOf(node) ?? "";
    const body = bodies[macro]?.(present(loop.loopStep));
    if (body === undefined) throw this.mistake(node, `calls .${macro}()`, "use exists, all or exists_one");
    if (this.#loop !== undefined) {
      throw this.mistake(node, `has .${macro}() inside another`, "use one level; filter on the rest at the caller");
    }
    const range = this.checkList(present(loop.iterRange));
    const checked = this.#checkBody(node, loop.iterVar, { range, body });
    const costUs = range.costUs + maxCountOf(range.type) * (checked.costUs + cost.iteration);
    return { node, type: { kind: "bool" }, costUs };
  }

  #checkBody(node: Expression, name: string, { range, body }: { range: Checked; body: Expression }): Checked {
    if (ModelVersionSchema.fields.some((field) => field.name === name)) {
      throw this.mistake(node, `names its variable ${name}, like a field`, "choose another name, such as x");
    }
    const of = typeOfElement(range.type);
    if (of === undefined) {
      const what = `looks for elements in ${describeType(range.type)}`;
      throw this.mistake(range.node, what, "only lists, maps and attributes have them");
    }
    this.#loop = { name, of };
    const checked = this.check(body);
    this.#loop = undefined;
    if (isCondition(checked.type)) return checked;
    throw this.mistake(body, `has ${describeType(checked.type)} as a condition`, "write a comparison");
  }
}

type MessageType = Extract<FilterType, { kind: "message" }>;

const RECORD: MessageType = { kind: "message", desc: ModelVersionSchema, maxBytes: Number.POSITIVE_INFINITY };

type Loop = Extract<Expression["exprKind"], { case: "comprehensionExpr" }>["value"];

/** The condition of each macro, out of the step that the parser made of it. */
const bodies: Readonly<Record<string, (step: Expression) => Expression>> = {
  exists: (step) => argument(step, 1),
  all: (step) => argument(step, 1),
  exists_one: (step) => argument(step, 0),
};

function argument(node: Expression, index: number): Expression {
  return present(node.exprKind.case === "callExpr" ? node.exprKind.value.args[index] : undefined);
}

// The parser sets every part of a node.
function present(node: Expression | undefined): Expression {
  if (node === undefined) throw new FilterMistake("cannot be parsed; write a CEL expression");
  return node;
}
