import type { Reporter, TestCase, TestModule } from "vitest/node";

const MARKS = { passed: "✓", failed: "✗" } as const;

/** Prints the matrix of the suite, language × case, when the tests have ended, and what could not be run for want of a tool. */
export class MatrixReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const results = tests.flatMap(toResult);
    if (results.length > 0) process.stdout.write(`\n${formatMatrix(results)}\n`);
    for (const { fullName } of tests) {
      if (fullName.includes("(skipped: ")) process.stdout.write(`Not run: ${fullName}\n`);
    }
  }
}

/** What came of a case in a language. */
export interface Result {
  readonly language: string;
  readonly name: string;
  readonly mark: string;
}

// A test of the suite is named by the language, the word conformance, and the case.
function toResult(test: TestCase): Result[] {
  const [language, suite, name] = test.fullName.split(" > ");
  const { state } = test.result();
  if (language === undefined || suite !== "conformance" || name === undefined) return [];
  return state === "passed" || state === "failed" ? [{ language, name, mark: MARKS[state] }] : [];
}

/** A table with a line for each case and a column for each language, and how many passed. */
export function formatMatrix(results: readonly Result[]): string {
  const languages = [...new Set(results.map(({ language }) => language))].sort();
  const names = [...new Set(results.map(({ name }) => name))];
  const marks = new Map(results.map(({ language, name, mark }) => [`${language} ${name}`, mark]));
  const width = Math.max(...names.map((name) => name.length));
  const cell = (text: string, language: string) => text.padEnd(language.length);
  const rows = names.map((name) => {
    const cells = languages.map((language) => cell(marks.get(`${language} ${name}`) ?? "", language));
    return `${name.padEnd(width)}  ${cells.join("  ")}`;
  });
  const passed = results.filter(({ mark }) => mark === MARKS.passed).length;
  const head = `${"Conformance".padEnd(width)}  ${languages.join("  ")}`;
  return [head, ...rows, `${passed} of ${results.length} passed`].map((line) => line.trimEnd()).join("\n");
}
