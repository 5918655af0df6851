//! The binary as a person or a script uses it: what it prints, what it refuses, what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/digits").join(name)
}

fn narrows(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_narrows")).current_dir(folder).args(args).output().expect("runs")
}

/// Runs it, expects success, gives its JSON events.
fn events(folder: &Path, args: &[&str]) -> Vec<Value> {
    let output = narrows(folder, &[args, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().rfind(|e| e["event"] == name).unwrap_or_else(|| panic!("no {name} in {events:#?}"))
}

/// Runs it, expects a one-line refusal that holds `parts`, exit code 2, and no new file.
fn refused(folder: &Path, args: &[&str], parts: &[&str]) {
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

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

#[test]
fn the_demonstration_ends_right_for_every_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    for cheat in ["layer", "output", "withhold", "weight", "copy"] {
        let record = format!("{cheat}.json");
        let events = events(folder.path(), &["demo", "--cheat", cheat, "--record", &record]);
        assert_eq!(event(&events, "end")["right"], true, "{cheat}");
        assert_eq!(event(&events, "verdict")["claim"], "refuted", "{cheat}");
        // The record that it wrote replays.
        let replayed = self::events(folder.path(), &["replay", &record]);
        assert_eq!(event(&replayed, "verdict")["claim"], "refuted", "{cheat}");
    }
    let honest = events(folder.path(), &["demo", "--cheat", "none"]);
    assert_eq!(event(&honest, "verdict")["claim"], "final");
    let griefed =
        events(folder.path(), &["demo", "--cheat", "none", "--griefer", "--record", "griefer.json"]);
    assert_eq!(event(&griefed, "verdict")["claim"], "final");
    assert_eq!(event(&griefed, "end")["right"], true);
    refused(folder.path(), &["demo", "--griefer"], &["--griefer", "--cheat none"]);
}

#[test]
fn a_model_is_compiled_run_checked_and_inspected() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (model, calibration) = (fixture("digits.onnx"), fixture("calibration.npz"));
    let (test, sample) = (fixture("test.npz"), fixture("sample.npy"));
    let compile = [
        "compile",
        text(&model),
        "--calibrate",
        text(&calibration),
        "--test",
        text(&test),
        "-o",
        "m.narrows",
    ];
    let compiled = events(at, &compile);
    let report = &event(&compiled, "compiled")["report"];
    let (float, integer) = (&report["test"]["float_right"], &report["test"]["integer_right"]);
    let (float, integer) = (float.as_i64().expect("labels"), integer.as_i64().expect("labels"));
    // 0.3 points of 600 images are 1.8 images.
    assert!((float - integer).abs() <= 1, "float {float}, integer {integer}");

    let ran =
        events(at, &["run", "m.narrows", "--input", text(&sample), "--trace", "t", "--claim", "c.json"]);
    assert_eq!(event(&ran, "output")["greatest"], 7, "the sample is a seven");
    let root = &event(&ran, "ran")["trace_root"];
    for backend in ["ndarray", "flex"] {
        for file in ["t", "c.json"] {
            let checked = events(at, &["check", file, "--program", "m.narrows", "--backend", backend]);
            assert_eq!(event(&checked, "checked")["agrees"], true);
            assert_eq!(&event(&checked, "checked")["own"], root);
        }
    }
    for (file, kind) in [("m.narrows", "program"), ("t", "trace"), ("c.json", "claim")] {
        event(&events(at, &["inspect", file]), kind);
    }
    let shown = narrows(at, &["inspect", "m.narrows"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("conv1"), "the source's own names");

    // A claim about another output is found wrong, with exit code 1.
    let claim = std::fs::read_to_string(at.join("c.json")).expect("a claim");
    let mut claim: Value = serde_json::from_str(&claim).expect("a claim");
    claim["trace_root"] = Value::String(format!("0x{}", "12".repeat(32)));
    std::fs::write(at.join("wrong.json"), claim.to_string()).expect("written");
    let checked = narrows(at, &["check", "wrong.json", "--program", "m.narrows"]);
    assert_eq!(checked.status.code(), Some(1));
}

#[test]
fn the_committed_program_and_sample_are_what_the_model_compiles_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (model, calibration) = (fixture("digits.onnx"), fixture("calibration.npz"));
    events(
        at,
        &["compile", text(&model), "--calibrate", text(&calibration), "--split", "64", "-o", "m.narrows"],
    );
    let read = |path: &Path| std::fs::read(path).expect("a file");
    assert!(read(&at.join("m.narrows")) == read(&fixture("digits.narrows")), "compile the fixture again");
    events(at, &["run", "m.narrows", "--input", text(&fixture("sample.npy")), "--claim", "c.json"]);
    let claim: Value = serde_json::from_slice(&read(&at.join("c.json"))).expect("a claim");
    let sample: String = read(&fixture("sample.bin")).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(claim["input"], sample);
}

#[test]
fn attack_36_bad_input_gets_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let model = fixture("digits.onnx");
    let calibration = fixture("calibration.npz");
    let sample = fixture("sample.npy");
    let compile = |model: &str, samples: &str, parts: &[&str]| {
        refused(at, &["compile", model, "--calibrate", samples, "-o", "out.narrows"], parts);
    };
    compile("missing.onnx", text(&calibration), &["missing.onnx"]);
    compile(text(&model), "missing.npz", &["missing.npz"]);
    std::fs::create_dir(at.join("empty")).expect("a folder");
    compile(text(&model), "empty", &["empty"]);
    let bytes = std::fs::read(&model).expect("the model");
    std::fs::write(at.join("half.onnx"), &bytes[..bytes.len() / 2]).expect("written");
    compile("half.onnx", text(&calibration), &["half.onnx"]);
    std::fs::write(at.join("text.onnx"), b"this is no model").expect("written");
    compile("text.onnx", text(&calibration), &["text.onnx"]);

    // A sample with a value that is no number, and one of another shape.
    let mut bent = std::fs::read(&sample).expect("the sample");
    let end = bent.len();
    bent[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(at.join("nan.npy"), &bent).expect("written");
    compile(text(&model), "nan.npy", &["nan.npy"]);
    let header = String::from_utf8_lossy(&bent[..128]).replace("(1, 1, 8, 8)", "(1, 1, 4, 8)");
    std::fs::write(at.join("shape.npy"), [header.as_bytes(), &bent[128..256]].concat()).expect("written");
    compile(text(&model), "shape.npy", &["shape.npy"]);

    // An altered program, and a trace with it.
    let program = fixture("digits.narrows");
    let bytes = std::fs::read(&program).expect("the program");
    std::fs::write(at.join("short.narrows"), &bytes[..bytes.len() - 1]).expect("written");
    refused(at, &["run", "short.narrows", "--input", text(&sample)], &["short.narrows", "truncated"]);
    let mut bent = bytes.clone();
    bent[100] ^= 0x80;
    std::fs::write(at.join("bent.narrows"), &bent).expect("written");
    refused(at, &["run", "bent.narrows", "--input", text(&sample)], &["bent.narrows"]);
    refused(at, &["run", text(&program), "--input", "shape.npy"], &["shape.npy"]);
    refused(at, &["inspect", "nan.npy"], &["nan.npy"]);

    // An altered record.
    let demo = narrows(at, &["demo", "--json", "--record", "d.json"]);
    assert!(demo.status.success());
    let record = std::fs::read(at.join("d.json")).expect("the record");
    for place in [10, record.len() / 3, record.len() / 2, record.len() - 10] {
        let mut bent = record.clone();
        bent[place] ^= 1;
        std::fs::write(at.join("bent.json"), &bent).expect("written");
        refused(at, &["replay", "bent.json"], &["bent.json"]);
    }
    std::fs::write(at.join("bent.json"), &record[..record.len() / 2]).expect("written");
    refused(at, &["replay", "bent.json"], &["bent.json"]);
}

#[test]
fn gas_is_as_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gas.json");
    let now: Vec<Value> = events(folder.path(), &["gas"]);
    let now: Vec<String> = now.iter().map(Value::to_string).collect();
    if std::env::var_os("NARROWS_BLESS").is_some() {
        std::fs::write(&path, now.join("\n") + "\n").expect("written");
    }
    let then = std::fs::read_to_string(&path).expect("fixtures/gas.json");
    let then: Vec<&str> = then.lines().collect();
    assert_eq!(
        now, then,
        "gas has changed; if it is meant to, run this test with NARROWS_BLESS=1 and commit the file"
    );
}
