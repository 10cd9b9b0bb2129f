import { join } from "node:path";
import { cacheFolder } from "../support/program.ts";
import { fetchingCommands, regenerate, runAll } from "./building.ts";
import { testClient } from "./client-suite.ts";

// What was built is kept, because most of it is what the client depends on.
const cargo = { CARGO_TARGET_DIR: join(cacheFolder, "rust") };

await testClient({
  name: "rust",
  toolchain: {
    cargo: ["cargo", "--version"],
    rustfmt: ["cargo", "fmt", "--version"],
    clippy: ["cargo", "clippy", "--version"],
  },
  example: "examples/example.rs",
  build: async (folder) => {
    await runAll(folder, ["cargo build --quiet --workspace --bins --examples"], cargo);
    const programs = join(cargo.CARGO_TARGET_DIR, "debug");
    return { runner: [join(programs, "stele-conformance")], example: [join(programs, "examples", "example")] };
  },
  generate: async (folder) => {
    const kept = join(cacheFolder, "rust-plugins");
    await runAll(folder, [await fetchingCommands(folder)], { ...cargo, CARGO_INSTALL_ROOT: kept });
    await regenerate(folder, "src/gen", join(kept, "bin"));
  },
  check: async (folder) => {
    const commands = [
      "cargo test --quiet --workspace",
      "cargo fmt --all --check",
      "cargo clippy --quiet --workspace --all-targets -- -D warnings",
      "cargo doc --quiet --no-deps",
      "cargo package --quiet --package stele-client --allow-dirty --no-verify",
    ];
    await runAll(folder, commands, { ...cargo, RUSTDOCFLAGS: "-D warnings" });
  },
});
