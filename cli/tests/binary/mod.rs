//! The built binary, run in a folder of its own.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/digits").join(name)
}

pub fn narrows(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_narrows")).current_dir(folder).args(args).output().expect("runs")
}

/// Runs it, expects success, gives its JSON events.
pub fn events(folder: &Path, args: &[&str]) -> Vec<Value> {
    let output = narrows(folder, &[args, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

pub fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().rfind(|e| e["event"] == name).unwrap_or_else(|| panic!("no {name} in {events:#?}"))
}

/// Runs it, expects a one-line refusal that holds `parts`, exit code 2, and no new file.
pub fn refused(folder: &Path, args: &[&str], parts: &[&str]) {
    let before = files(folder);
    let output = narrows(folder, args);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{args:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: '{part}' is not in: {text}");
    }
    assert_eq!(files(folder), before, "{args:?} leaves something behind");
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
