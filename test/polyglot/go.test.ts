import { join } from "node:path";
import { regenerate, runAll } from "./building.ts";
import { testClient } from "./client-suite.ts";

await testClient({
  name: "go",
  toolchain: { go: ["go", "version"] },
  example: "example/main.go",
  build: async (folder) => {
    await runAll(folder, ["go build -o bin/ ./internal/conformance ./example"]);
    return { runner: [join(folder, "bin", "conformance")], example: [join(folder, "bin", "example")] };
  },
  generate: async (folder) => await regenerate(folder, "stele/v1"),
  check: async (folder) => {
    await runAll(folder, ["go vet ./...", "go test ./...", 'test -z "$(gofmt -l .)"']);
  },
});
