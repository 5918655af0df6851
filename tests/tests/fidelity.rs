//! How close programs are to their float models: the figures that the README states, held.

use std::path::{Path, PathBuf};

use narrows_compiler::{Graph, ModelOptions, Options, Profile, Report, Samples, compile};
use narrows_tests::chargpt::{self, Native};

fn report(graph: &Graph, profile: Option<Profile>, calibration: &Samples, test: &Samples) -> Report {
    let options = Options { profile, ..Options::default() };
    let compiled = compile(graph, calibration, &options, &mut |_| {}).expect("it compiles");
    compiled.report(calibration, Some(test), &Native, &mut |_| {}).expect("it runs")
}

#[test]
fn the_character_gpt_keeps_its_perplexity() {
    let graph = chargpt::window();
    let (calibration, mut test) = (chargpt::windows("calibration.npz"), chargpt::windows("test.npz"));
    test.inputs.truncate(24);
    test.targets.as_mut().expect("targets").truncate(24);
    for (profile, change, cosine) in [(None, 0.005, 0.999), (Some(Profile::Exact), 0.001, 0.9999)] {
        let report = report(&graph, profile, &calibration, &test);
        assert_eq!(report.profile, profile.unwrap_or(Profile::Standard), "chosen by the operators");
        let judged = report.test.expect("a test set was given");
        let (float, integer) =
            judged.float_perplexity.zip(judged.integer_perplexity).expect("targets were given");
        println!("{:?}: perplexity {float:.4} and {integer:.4}, {judged:?}", report.profile);
        assert!((3.0..4.2).contains(&float), "the float model's perplexity is {float}");
        assert!((integer / float - 1.0).abs() <= change, "{integer} is far from {float}");
        assert!(judged.output.least_cosine >= cosine, "{:?}", judged.output);
    }
}

/// Magika's input for a file: its first and last 1,024 bytes without the white space around them, filled with 256.
fn magika_input(bytes: &[u8]) -> Vec<f32> {
    const HALF: usize = 1024;
    const NONE: f32 = 256.0;
    let head = bytes.trim_ascii_start();
    let tail = bytes.trim_ascii_end();
    let mut input: Vec<f32> = head.iter().take(HALF).map(|byte| f32::from(*byte)).collect();
    input.resize(HALF, NONE);
    let tail = &tail[tail.len().saturating_sub(HALF)..];
    input.resize(2 * HALF - tail.len(), NONE);
    input.extend(tail.iter().map(|byte| f32::from(*byte)));
    input
}

/// Files of this repository, whatever they are.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let built =
            name.starts_with('.') || name.starts_with("target") || name == "node_modules" || name == "out";
        match path.is_dir() {
            _ if built => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn magika_names_files_as_its_float_model_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = root.join("../shared/models/magika.onnx");
    if !model.exists() {
        println!("skipped: {} is not there", model.display());
        return;
    }
    let mut found = Vec::new();
    files(&root, &mut found);
    let every = |first: usize, count: usize| {
        let step = found.len() / 360;
        let chosen = found.iter().skip(first).step_by(step.max(1)).take(count);
        Samples::of(chosen.map(|path| magika_input(&std::fs::read(path).expect("a file"))).collect())
    };
    let (calibration, test) = (every(1, 50), every(0, 300));
    let graph = Graph::load(&model, &ModelOptions::default()).expect("a model");
    let report = report(&graph, None, &calibration, &test);
    let judged = report.test.expect("a test set was given");
    println!("magika, {:?}: {} of {} files agree", report.profile, judged.agreeing, judged.answers);
    assert_eq!(judged.answers, 300, "the repository has so many files");
    assert!(judged.part(judged.agreeing) >= 0.995, "{} of {} agree", judged.agreeing, judged.answers);
}
