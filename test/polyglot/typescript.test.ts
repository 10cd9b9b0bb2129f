import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { regenerate, root, runAll } from "./building.ts";
import { testClient } from "./client-suite.ts";

// The Node that runs the tests, which is the project's.
const node = process.execPath;

await testClient({
  name: "typescript",
  toolchain: { npm: ["npm", "--version"] },
  example: "example/example.ts",
  // In a folder of its own, so that the programs import the package and not the sources.
  build: async (folder) => {
    const user = join(folder, "user");
    await runAll(folder, [
      "npm ci && npm pack",
      "mkdir user && cp conformance/runner.ts example/example.ts user",
      `echo '{ "type": "module", "private": true }' > user/package.json`,
      "cd user && npm install ../stele-client-*.tgz",
    ]);
    return { runner: [node, join(user, "runner.ts")], example: [node, join(user, "example.ts")] };
  },
  generate: async (folder) => {
    await symlink(join(root, "node_modules"), join(folder, "../../node_modules"));
    await regenerate(folder, "src/gen");
  },
  check: async (folder) => {
    await runAll(folder, ["npm test", "npm run typecheck"]);
  },
});
