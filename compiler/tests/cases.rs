//! The models of every operator and pattern, lowered and run by the naive engine, beside ONNX Runtime's answers.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::path::Path;

use common::Naive;
use narrows_compiler::{
    Constant, Engine, Graph, Kind, Op, Options, Profile, Samples, compile, decode_output, encode_input,
};
use onnx_ir::{Message, ModelProto};

/// Least signal over noise of a case's output, in decibels.
const CLOSE_DB: f64 = 38.0;

/// Runs one case; its ratio, or what is wrong with it.
fn check(path: &Path) -> Result<f64, String> {
    let mut model = ModelProto::parse_from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let source = model.graph.mut_or_insert_default();
    let test = |name: &str| {
        let tensor = source.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        Constant::decode(tensor).unwrap().to_f32()
    };
    let (input, expected) = (test("test.input"), test("test.output"));
    source.initializer.retain(|tensor| !tensor.name.starts_with("test."));
    let bytes = model.write_to_bytes().unwrap();
    let graph = Graph::parse(&bytes, path, &Default::default()).map_err(|e| e.to_string())?;
    let samples = Samples::of(vec![input.clone()]);
    let options = Options { profile: Some(Profile::Exact), ..Options::default() };
    let compiled = match compile(&graph, &samples, &options, &mut |_| {}) {
        Err(error) if error.to_string().contains("computes nothing but") => return Ok(f64::INFINITY),
        other => other.map_err(|e| e.to_string())?,
    };
    let left_out =
        compiled.report(&samples, None, &Naive, &mut |_| {}).map_err(|e| e.to_string())?.dropped_softmax;
    let program = compiled.into_program();
    let outputs = Naive.run(&program, &encode_input(&program, &input).unwrap())?;
    let mut output = decode_output(&program, outputs.last().unwrap()).map_err(|e| e.to_string())?;
    if left_out.is_some() {
        let softmax = graph.nodes.iter().rev().find_map(|node| match node.op {
            Op::Softmax { axis, log } => Some((axis, log, graph.value(node.output).shape.clone())),
            _ => None,
        });
        let (axis, log, shape) = softmax.unwrap();
        output = softmaxed(&output, axis, log, &shape);
    }
    assert_eq!(output.len(), expected.len());
    let (mut signal, mut noise) = (1e-12, 1e-30);
    for (found, expected) in output.iter().zip(&expected).filter(|(_, expected)| expected.is_finite()) {
        signal += f64::from(*expected).powi(2);
        noise += f64::from(found - expected).powi(2);
    }
    if graph.value(graph.output).kind == Kind::Integer && noise > 1e-20 {
        return Err(format!("{output:?}, not the integers {expected:?}"));
    }
    Ok(10.0 * (signal / noise).log10())
}

/// The softmax that a program leaves out.
fn softmaxed(values: &[f32], axis: usize, log: bool, shape: &[usize]) -> Vec<f32> {
    let inner: usize = shape[axis + 1..].iter().product();
    let row = |at: usize| at / (inner * shape[axis]) * inner + at % inner;
    let mut sums = vec![0f64; values.len() / shape[axis]];
    values.iter().enumerate().for_each(|(at, v)| sums[row(at)] += f64::from(*v).exp());
    let value = |(at, v): (usize, &f32)| {
        let log_p = f64::from(*v) - sums[row(at)].ln();
        (if log { log_p } else { log_p.exp() }) as f32
    };
    values.iter().enumerate().map(value).collect()
}

#[test]
fn every_case_lowers_and_agrees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 150, "the cases are there");
    let mut wrong = Vec::new();
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let result = std::panic::catch_unwind(|| check(path)).unwrap_or_else(|_| Err("panics".into()));
        match result {
            Ok(db) if db >= CLOSE_DB => {}
            Ok(db) => wrong.push(format!("{name}: {db:.1} dB")),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}
