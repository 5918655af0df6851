#!/usr/bin/env node
// Speaks the part of solc's command line that forge uses, through the pinned npm package (whose own command prints more than its answer).
const solc = require("solc");
if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (process.argv.includes("--standard-json")) {
  process.stdout.write(solc.compile(require("fs").readFileSync(0, "utf8")));
} else {
  console.error("solc.js: only --version and --standard-json");
  process.exit(1);
}
