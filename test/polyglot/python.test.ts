import { join } from "node:path";
import { cacheFolder, runProgram } from "../support/program.ts";
import { pathWith, regenerate, runAll } from "./building.ts";
import { testClient } from "./client-suite.ts";

await testClient({
  name: "python",
  toolchain: { "python3 with venv and pip": ["python3", "-c", "import ensurepip, venv"] },
  example: "examples/example.py",
  build: async (folder) => {
    const programs = await createEnvironment("python", folder, ["."]);
    const python = join(programs, "python");
    return {
      runner: [python, join(folder, "conformance", "runner.py")],
      example: [python, join(folder, "examples", "example.py")],
    };
  },
  generate: async (folder) => {
    const programs = await createEnvironment("python-generate", folder, ["-r", "requirements/generate.txt"]);
    await regenerate(folder, "src/stele/v1", programs);
  },
  check: async (folder) => {
    const programs = await createEnvironment("python-develop", folder, ["-r", "requirements/develop.txt", "-e", "."]);
    await runAll(folder, ["ruff format --check", "ruff check", "mypy", "pytest -q"], pathWith(programs));
  },
});

// Makes a virtual environment with these packages; answers where its programs are.
async function createEnvironment(name: string, folder: string, packages: readonly string[]): Promise<string> {
  const environment = join(cacheFolder, name);
  const programs = join(environment, "bin");
  await runProgram("python3", ["-m", "venv", environment]);
  await runProgram(join(programs, "pip"), ["install", "--quiet", ...packages], { cwd: folder });
  return programs;
}
