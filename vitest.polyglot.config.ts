import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { MatrixReporter } from "./test/conformance/matrix-reporter.ts";

/** Begins with what takes longest: nothing else is built as slowly as Rust. */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => Number(isSlow(other)) - Number(isSlow(one)));
  }
}

function isSlow({ moduleId }: TestSpecification): boolean {
  return moduleId.endsWith("/rust.test.ts");
}

// Apart from the other tests, because it downloads and builds the clients of other languages.
// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default defineConfig({
  test: {
    include: ["test/polyglot/**/*.test.ts"],
    globalSetup: "test/conformance/services.ts",
    reporters: ["default", new MatrixReporter()],
    sequence: { sequencer: SlowestFirst },
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
});
