//! The committed artifacts are those of the committed sources, and small enough to be deployed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use narrows_commitment::keccak;
use narrows_contracts::artifacts::{GAME, MAX_CODE_BYTES, REFEREE, REGISTRY};
use serde::Deserialize;

/// What the build writes beside the artifacts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    artifacts: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
    solc: String,
    settings: serde_json::Value,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> Manifest {
    let text = fs::read(root().join("artifacts/manifest.json")).expect("the manifest");
    serde_json::from_slice(&text).expect("the manifest's form")
}

/// The hash of each file with the ending in a folder, under `prefix` and its name.
fn hashes(folder: &str, prefix: &str, ending: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(root().join(folder)).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let named = paths.filter(|path| path.extension().is_some_and(|extension| extension == ending));
    named
        .map(|path| {
            let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
            (format!("{prefix}{name}"), keccak(&fs::read(&path).expect("readable")).to_string())
        })
        .collect()
}

#[test]
fn the_artifacts_are_those_of_the_sources() {
    let manifest = manifest();
    assert_eq!(manifest.sources, hashes("sol", "sol/", "sol"), "build the contracts again");
    let mut files = hashes("artifacts", "", "json");
    files.remove("manifest.json").expect("the manifest is there");
    assert_eq!(manifest.artifacts, files, "build the contracts again");
    assert_eq!(files.into_keys().collect::<Vec<_>>(), ["Game.json", "Referee.json", "Registry.json"]);
    assert!(manifest.solc.starts_with("0.8."), "{}", manifest.solc);
    assert_eq!(manifest.settings["evmVersion"], "osaka");
}

#[test]
fn every_contract_can_be_deployed() {
    for (name, artifact) in [("Registry", &REGISTRY), ("Referee", &REFEREE), ("Game", &GAME)] {
        let size = artifact.deployed.len();
        assert!(size > 0 && size < MAX_CODE_BYTES, "{name} has {size} bytes");
        assert!(artifact.creation.len() >= size, "{name}");
    }
}
