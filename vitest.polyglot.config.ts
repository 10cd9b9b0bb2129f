import { defineConfig } from "vitest/config";

// Apart from the other tests, because it downloads and builds clients of other languages.
// biome-ignore lint/style/noDefaultExport: vitest reads the default export.
export default defineConfig({
  test: {
    include: ["test/polyglot/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 120_000,
  },
});
