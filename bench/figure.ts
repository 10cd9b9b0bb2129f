/** A line of the result: what was measured, and what the design asks for. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  readonly target?: Target;
}

/** What a figure should be, and whether it is. */
export interface Target {
  readonly text: string;
  readonly isMet: boolean;
}

/** The heads of the columns of formatFigure. */
export const figureHead = formatRow("figure", "value", "target", "");

/** A figure as a line, in columns. */
export function formatFigure({ name, value, target }: Figure): string {
  return formatRow(name, value, target?.text ?? "", describe(target));
}

function formatRow(name: string, value: string, target: string, outcome: string): string {
  return `${name.padEnd(54)}  ${value.padEnd(56)}  ${target.padEnd(9)}  ${outcome}`;
}

/** The target that a value must stay below. */
export function below(limit: number, value: number, unit = ""): Target {
  return { text: `< ${limit} ${unit}`.trimEnd(), isMet: value < limit };
}

function describe(target: Target | undefined): string {
  if (target === undefined) return "";
  return target.isMet ? "met" : "MISSED";
}
