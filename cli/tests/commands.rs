//! The binary as a person or a script uses it: what it prints, what it refuses, what it leaves behind.

mod binary;

use std::path::Path;

use binary::{event, events, fixture, narrows, refused, text};
use serde_json::Value;

#[test]
fn the_demonstration_ends_right_for_every_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    let play = |cheat: &str, served: bool| {
        let record = format!("{cheat}-{served}.json");
        let args = ["demo", "--cheat", cheat, "--record", &record];
        let served: &[&str] = if served { &["--served"] } else { &[] };
        let events = events(folder.path(), &[&args, served].concat());
        assert_eq!(event(&events, "end")["right"], true, "{cheat}");
        assert_eq!(event(&events, "verdict")["claim"], "refuted", "{cheat}");
        // The record that it wrote replays.
        let replayed = self::events(folder.path(), &["replay", &record]);
        assert_eq!(event(&replayed, "verdict")["claim"], "refuted", "{cheat}");
        let moves = events.iter().filter(|event| event["event"] == "move");
        moves.map(|step| step["call"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for cheat in ["layer", "output", "withhold", "weight", "copy"] {
        let moves = play(cheat, false);
        assert!(moves.contains(&"open".to_owned()), "{cheat}: {moves:?}");
        let silent = cheat == "withhold";
        assert_eq!(moves.contains(&"timeout".to_owned()), silent, "{cheat}: {moves:?}");
        assert_eq!(moves.contains(&"subTrace".to_owned()), !silent, "{cheat}: {moves:?}");
        assert!(moves.contains(&"reclaim".to_owned()), "{cheat}: {moves:?}");
    }
    for cheat in ["layer", "output", "weight", "copy"] {
        let moves = play(cheat, true);
        let fought = ["commitClaim", "postClaim", "commit", "refute", "openReward", "collectReward"];
        assert_eq!(moves[moves.len() - fought.len()..], fought, "{cheat}");
    }
    let honest = events(folder.path(), &["demo", "--cheat", "none"]);
    assert_eq!(event(&honest, "verdict")["claim"], "final");
    let griefed =
        events(folder.path(), &["demo", "--cheat", "none", "--griefer", "--record", "griefer.json"]);
    assert_eq!(event(&griefed, "verdict")["claim"], "final");
    assert_eq!(event(&griefed, "end")["right"], true);
    refused(folder.path(), &["demo", "--griefer"], &["--griefer", "--cheat none"]);
    refused(folder.path(), &["demo", "--served", "--cheat", "withhold"], &["--served"]);
    refused(folder.path(), &["demo", "--served", "--cheat", "none"], &["--served"]);
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
    let shown = events(at, &["inspect", "t", "--program", "m.narrows"]);
    assert_eq!(&event(&shown, "trace")["root"], root);
    let shown = narrows(at, &["inspect", "m.narrows"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("conv1"), "the source's own names");

    // A claim about another output is found wrong, with exit code 1.
    let claim = std::fs::read_to_string(at.join("c.json")).expect("a claim");
    let mut claim: Value = serde_json::from_str(&claim).expect("a claim");
    claim["trace_root"] = Value::String(format!("0x{}", "12".repeat(32)));
    std::fs::write(at.join("wrong.json"), claim.to_string()).expect("written");
    let checked = narrows(at, &["check", "wrong.json", "--program", "m.narrows"]);
    assert_eq!(checked.status.code(), Some(1));
    // Several are re-run together, and one wrong claim among them is found.
    let told = events(at, &["check", "t", "c.json", "t", "--program", "m.narrows"]);
    let checked: Vec<_> = told.iter().filter(|event| event["event"] == "checked").collect();
    assert_eq!(checked.len(), 3);
    assert!(checked.iter().all(|event| event["agrees"] == true && &event["own"] == root));
    let checked = narrows(at, &["check", "c.json", "wrong.json", "t", "--program", "m.narrows"]);
    assert_eq!(checked.status.code(), Some(1));
}

#[test]
fn a_bench_times_what_the_portable_engine_and_burn_compute() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = fixture("digits.narrows");
    for engine in ["fastest", "portable"] {
        let told = events(
            folder.path(),
            &["bench", text(&program), "--runs", "3", "--threads", "1", "--engine", engine],
        );
        let bench = event(&told, "bench");
        assert_eq!(bench["run_and_commit_ms"]["all"].as_array().map(Vec::len), Some(3));
        assert!(
            bench["check_ms"]["flex"]["median"].is_number()
                && bench["check_ms"]["ndarray"]["median"].is_number()
        );
        let inspected = events(folder.path(), &["inspect", text(&program)]);
        assert_eq!(bench["exported_bytes"], event(&inspected, "program")["exported_bytes"]);
    }
}

#[test]
fn a_text_is_generated_bound_and_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let gpt = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/chargpt").join(name);
    let vocabulary = gpt("vocabulary.json");
    std::fs::write(at.join("p.npy"), npy(&[7, 40, 50, 41])).expect("written");
    let told = events(
        at,
        &[
            "compile",
            text(&gpt("chargpt-step.onnx")),
            "--generate",
            "4+3",
            "--calibrate",
            "p.npy",
            "--bind",
            text(&vocabulary),
            "-o",
            "g.narrows",
        ],
    );
    assert_eq!(event(&told, "compiled")["report"]["profile"], "standard");
    let told = events(at, &["inspect", "g.narrows"]);
    assert_eq!(event(&told, "program")["meta"]["bound"][0]["name"], "vocabulary.json");
    let told = events(at, &["run", "g.narrows", "--input", "p.npy", "--trace", "g.trace"]);
    let tokens: Vec<i64> = serde_json::from_value(event(&told, "output")["values"].clone()).expect("tokens");
    assert_eq!((tokens.len(), &tokens[..4]), (7, &[7, 40, 50, 41][..]));
    events(at, &["check", "g.trace", "--program", "g.narrows", "--backend", "flex"]);
    // A whole window is no step.
    let (whole, step) = (gpt("chargpt.onnx"), gpt("chargpt-step.onnx"));
    let compile = |model: &Path, more: &[&str], parts: &[&str]| {
        refused(
            at,
            &[&["compile", text(model), "--calibrate", "p.npy", "-o", "x.narrows"], more].concat(),
            parts,
        );
    };
    compile(&whole, &["--generate", "4+3"], &["export one step with its cache"]);
    compile(&step, &["--generate", "0+3"], &["at least 1 each"]);
    compile(&step, &["--generate", "4+99999"], &["16384 together"]);
    compile(&step, &["--generate", "4+3", "--temperature", "0"], &["temperature"]);
    compile(&step, &["--generate", "4+3", "--bind", "nothing"], &["nothing", "check the path"]);
    assert_eq!(narrows(at, &["compile", text(&step), "--generate", "4"]).status.code(), Some(2));
}

/// A `.npy` of one row of 32-bit integers.
fn npy(values: &[i32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<i4', 'fortran_order': False, 'shape': (1, {}), }}", values.len());
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

#[test]
fn the_committed_program_and_sample_are_what_the_model_compiles_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (model, calibration) = (fixture("digits.onnx"), fixture("calibration.npz"));
    events(
        at,
        &[
            "compile",
            text(&model),
            "--calibrate",
            text(&calibration),
            "--split",
            "64",
            "--layers",
            "2",
            "-o",
            "m.narrows",
        ],
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
fn layers_are_cut_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let (model, calibration) = (fixture("digits.onnx"), fixture("calibration.npz"));
    let layers = |option: &str| {
        let args = [
            "compile",
            text(&model),
            "--calibrate",
            text(&calibration),
            "--layers",
            option,
            "-o",
            "m.narrows",
        ];
        let compiled = events(at, &args);
        let report = &event(&compiled, "compiled")["report"];
        let shown = events(at, &["inspect", "m.narrows"]);
        let program = event(&shown, "program");
        let counts =
            program["layers"].as_array().expect("a list").iter().map(|layer| layer["operators"].as_u64());
        let counts: Vec<u64> = counts.map(|count| count.expect("a number")).collect();
        assert_eq!(report["layers"].as_u64(), Some(counts.len() as u64), "{option}");
        assert_eq!(program["operators"].as_u64(), Some(counts.iter().sum()), "{option}");
        (counts, program["exported_bytes"].as_u64().expect("a number"))
    };
    let (alone, all) = layers("1");
    assert!(alone.iter().all(|count| *count == 1), "{alone:?}");
    let (threes, _) = layers("3");
    assert!(threes[..threes.len() - 1].iter().all(|count| *count == 3), "{threes:?}");
    let (_, least) = layers("auto");
    let (_, block) = layers("block");
    assert!(least <= block && block <= all && least < all, "{least} {block} {all}");
    for option in ["0", "33", "some", ""] {
        let out = narrows(
            at,
            &["compile", text(&model), "--calibrate", text(&calibration), "--layers", option, "-o", "x"],
        );
        assert_eq!(out.status.code(), Some(2), "{option}");
        assert!(
            String::from_utf8_lossy(&out.stderr).contains("1 to 32") && !at.join("x").exists(),
            "{option}"
        );
    }
}

#[test]
fn an_input_that_no_transaction_carries_is_refused_before_anything_is_paid() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::write(at.join("key"), "11".repeat(32)).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(at.join("key"), owner).expect("the owner's alone");
    }
    let (program, input) = (fixture("digits.narrows"), fixture("sample.npy"));
    let job = |most: &str| {
        let mut args = vec!["job", "--rpc", "http://127.0.0.1:1", "--key-file", "key", "--deadline", "100"];
        args.extend(["--fee", "1eth", "--program", text(&program), "--input", text(&input)]);
        args.extend(["--max-transaction-bytes", most]);
        args.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |most: &str, parts: &[&str]| {
        let args = job(most);
        refused(at, &args.iter().map(String::as_str).collect::<Vec<_>>(), parts);
    };
    // 64 bytes of input in 228 of calldata, and at most 192 around them.
    run("419", &["64 bytes", "postJob", "420 bytes", "419", "--max-transaction-bytes"]);
    // What fits is refused for what comes next: there is no deployment here.
    run("420", &["deployment.toml"]);
}
