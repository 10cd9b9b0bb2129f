import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts", "bench/**/*.test.ts"],
    // Other languages have a configuration of their own, vitest.polyglot.config.ts.
    exclude: ["test/polyglot/**"],
    globalSetup: "test/support/postgres-setup.ts",
    // Most of the time of the slow ones is waiting, for what goes away to be noticed.
    maxWorkers: Math.max(3, availableParallelism()),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
