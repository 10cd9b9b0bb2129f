import { defineConfig } from "vitest/config";
import { MatrixReporter } from "./test/conformance/matrix-reporter.ts";

// Apart from the other tests, because it downloads and builds the clients of other languages.
// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default defineConfig({
  test: {
    include: ["test/polyglot/**/*.test.ts"],
    globalSetup: "test/conformance/services.ts",
    reporters: ["default", new MatrixReporter()],
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
});
