#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that an old one gets a sentence instead of a syntax error.
const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(
    `Stele needs Node 24 or newer, and this is Node ${process.versions.node}: ` +
      "run it by npm (`npm ci && npm start`), which brings Node 24 on Linux, or install Node 24.\n",
  );
  process.exit(1);
}
await import("../src/main.ts");
