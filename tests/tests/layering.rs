//! The workspace's imports run one way.

use std::collections::BTreeMap;
use std::process::Command;

/// What each crate may import of this workspace.
const ALLOWED: &[(&str, &[&str])] = &[
    ("narrows-commitment", &[]),
    ("narrows-program", &["commitment"]),
    ("narrows-bisection", &["commitment", "program"]),
    ("narrows-contracts", &["commitment", "program", "bisection"]),
    ("narrows-compiler", &["commitment", "program"]),
    ("narrows-executor", &["commitment", "program", "bisection", "contracts"]),
    ("narrows-challenger", &["commitment", "program", "bisection", "contracts"]),
    ("narrows", &["commitment", "program", "bisection", "contracts", "compiler", "executor", "challenger"]),
];

/// What the pure crates must not import.
const IMPURE: &[&str] =
    &["tokio", "burn", "burn-ndarray", "revm", "alloy-primitives", "alloy-sol-types", "sled"];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo metadata");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("json");
    let normal = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        let kept = all.iter().filter(|d| d["kind"].is_null());
        kept.map(|d| d["name"].as_str().expect("name").to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|p| (p["name"].as_str().expect("name").to_owned(), normal(p))).collect()
}

#[test]
fn imports_run_one_way() {
    let packages = dependencies();
    for (name, allowed) in ALLOWED {
        let imports = packages.get(*name).unwrap_or_else(|| panic!("{name} is a member"));
        for import in imports.iter().filter_map(|d| d.strip_prefix("narrows-")) {
            assert!(allowed.contains(&import), "{name} must not import narrows-{import}");
        }
    }
    assert_eq!(packages.len(), ALLOWED.len() + 1, "every member but the tests is listed");
}

#[test]
fn the_rules_stay_pure() {
    let packages = dependencies();
    for name in ["narrows-commitment", "narrows-program", "narrows-bisection"] {
        for import in &packages[name] {
            assert!(!IMPURE.contains(&import.as_str()), "{name} must not import {import}");
        }
    }
}

#[test]
fn the_named_crates_are_dependencies() {
    let packages = dependencies();
    let used = |name: &str, by: &str| packages[by].iter().any(|d| d == name);
    for (name, by) in [
        ("burn", "narrows-challenger"),
        ("burn-ndarray", "narrows-challenger"),
        ("tokio", "narrows-executor"),
        ("sled", "narrows-contracts"),
        ("sha3", "narrows-commitment"),
        ("serde", "narrows-bisection"),
    ] {
        assert!(used(name, by), "{by} imports {name}");
    }
}
