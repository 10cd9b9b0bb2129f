import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fetchingCommands, pathWith, runAll } from "./building.ts";
import { testClient } from "./client-suite.ts";

await testClient({
  name: "java",
  toolchain: { "a JDK (javac)": ["javac", "-version"], "Maven (mvn)": ["mvn", "-version"] },
  example: "example/Example.java",
  build: async (folder) => {
    await maven(folder, "-DskipTests package dependency:copy-dependencies -DoutputDirectory=target/lib");
    const classPath = ["target/*", "target/lib/*", "target/test-classes"]
      .map((path) => join(folder, path))
      .join(delimiter);
    return {
      runner: ["java", "-cp", classPath, "dev.stele.client.conformance.Runner"],
      example: ["java", "-cp", classPath, join(folder, "example", "Example.java")],
    };
  },
  // The template is for others, and says how its plugins are fetched. buf adds the names in JSON to the descriptors, so that
  // the code differs from Maven's in bytes, and not in what it is.
  generate: async (folder) => {
    const list = (path: string) => `(cd ${path} && find . -name "*.java" | sort)`;
    const compare = `diff <${list("target/generated-sources/protobuf")} <${list("gen")}`;
    const compile = 'javac -d target/gen -cp "target/lib/*" $(find gen -name "*.java")';
    await runAll(folder, [await fetchingCommands(folder), "buf generate", compare, compile], javaEnvironment());
  },
  check: async (folder) => {
    await maven(folder, "test");
    const options = "-Xlint:all -Xdoclint:all/protected -Xdoclint/package:dev.stele.client -Werror -d target/lint";
    const sources = '$(find src example -name "*.java")';
    await runAll(folder, [`javac ${options} -cp "target/classes:target/lib/*" ${sources}`]);
  },
});

async function maven(folder: string, goals: string): Promise<void> {
  await runAll(folder, [`mvn --quiet --batch-mode ${goals}`], javaEnvironment());
}

// Java asks the system for the home folder, and not HOME, which users without one of their own set.
function javaEnvironment(): Readonly<Record<string, string>> {
  return { ...pathWith(), MAVEN_OPTS: `-Dmaven.repo.local=${join(homedir(), ".m2", "repository")}` };
}
