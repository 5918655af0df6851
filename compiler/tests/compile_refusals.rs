//! Refusals of what comes after the model: samples that do not fit, numbers and limits that do not.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::model::Model;
use narrows_compiler::{CompileError, Options, Samples, compile};

#[track_caller]
fn says(error: &CompileError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

fn image() -> Model {
    Model::new(&[1, 2, 6, 6])
}

#[test]
fn calibration_must_be_there_and_finite() {
    let graph = image().node("Relu", &["x"], "y", vec![]).graph().unwrap();
    let run = |inputs: Vec<Vec<f32>>| {
        let samples = Samples::of(inputs);
        compile(&graph, &samples, &Options::default(), &mut |_| {}).err().unwrap()
    };
    says(&run(vec![]), &["calibration", "at least one"]);
    says(&run(vec![vec![0.0; 72], vec![0.0; 71]]), &["sample 1", "71", "72"]);
    says(&run(vec![vec![1e38; 72]]), &["n_y", "scaled to integers"]);
    let huge = image().floats("w", &[2, 2, 1, 1], &[1e38; 4]).node("Conv", &["x", "w"], "y", vec![]);
    let graph = huge.graph().unwrap();
    let samples = Samples::of(vec![vec![0.0; 72], vec![9.0; 72]]);
    let error = compile(&graph, &samples, &Options::default(), &mut |_| {}).err().unwrap();
    says(&error, &["n_y", "not finite", "sample 1"]);
    let silent = Samples::of(vec![vec![0.0; 72]]);
    let outcome = compile(&graph, &silent, &Options::default(), &mut |_| {});
    says(&outcome.err().unwrap(), &["n_y", "no multiplier fits"]);
}

#[test]
fn a_model_past_the_protocol_names_the_rule() {
    let graph = image().node("Relu", &["x"], "y", vec![]).graph().unwrap();
    let samples = Samples::of(vec![vec![1.0; 72]]);
    let options = Options { reveal_bits: 9, ..Options::default() };
    let error = compile(&graph, &samples, &options, &mut |_| {}).err().unwrap();
    assert!(matches!(error, CompileError::Illegal(_)));
    says(&error, &["Counts"]);
}
