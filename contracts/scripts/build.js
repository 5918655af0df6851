#!/usr/bin/env node
// Writes artifacts/ from sol/. With --check it writes nothing and fails if a byte of artifacts/ would change.
const fs = require("fs");
const path = require("path");
const solc = require("solc");
const { keccak256 } = require("js-sha3");

const root = path.join(__dirname, "..");
const deployed = ["Game", "Referee", "Registry"];
const settings = {
  evmVersion: "osaka",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 2000 },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  viaIR: true,
};

const sortKeys = (value) => {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sortKeys(value[key])]));
};
const text = (value) => JSON.stringify(sortKeys(value), null, 2) + "\n";
const hash = (content) => "0x" + keccak256(content);

function build() {
  const names = fs.readdirSync(path.join(root, "sol")).filter((name) => name.endsWith(".sol")).sort();
  const sources = Object.fromEntries(
    names.map((name) => [`sol/${name}`, { content: fs.readFileSync(path.join(root, "sol", name), "utf8") }]),
  );
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", settings, sources })));
  const messages = output.errors ?? [];
  messages.forEach((message) => console.error(message.formattedMessage));
  if (messages.length > 0) throw new Error("the compiler has something to say; artifacts are built without warnings");
  const files = {};
  for (const contract of deployed) {
    const { abi, evm } = output.contracts[`sol/${contract}.sol`][contract];
    const bytecode = "0x" + evm.bytecode.object;
    const deployedBytecode = "0x" + evm.deployedBytecode.object;
    files[`${contract}.json`] = text({ abi, bytecode, contract, deployedBytecode });
  }
  const hashes = (entries) => Object.fromEntries(entries.map(([name, content]) => [name, hash(content)]));
  files["manifest.json"] = text({
    artifacts: hashes(Object.entries(files)),
    settings,
    solc: solc.version(),
    sources: hashes(Object.entries(sources).map(([name, { content }]) => [name, content])),
  });
  return files;
}

const folder = path.join(root, "artifacts");
const files = build();
if (process.argv.includes("--check")) {
  const present = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const stale = [...new Set([...present, ...Object.keys(files)])].filter((name) => {
    const at = path.join(folder, name);
    return files[name] === undefined || !fs.existsSync(at) || fs.readFileSync(at, "utf8") !== files[name];
  });
  if (stale.length > 0) {
    console.error(`artifacts differ from sol/: ${stale.join(", ")}; run scripts/build.sh and commit what it writes`);
    process.exit(1);
  }
  console.log("artifacts agree with sol/");
} else {
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), content);
  console.log(`wrote ${Object.keys(files).join(", ")}`);
}
