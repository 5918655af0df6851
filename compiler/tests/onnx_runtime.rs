//! Every operator and pattern against ONNX Runtime's answer on a small model, and what each was read as.
//!
//! `data/make_cases.py` wrote the models.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;

use burn::tensor::Device;
use narrows_compiler::{Constant, FloatModel, Graph, Kind, Op};
use onnx_ir::{Message, ModelProto};

/// Greatest difference from ONNX Runtime, relative to values beyond 1.
const TOLERANCE: f32 = 2e-5;

fn cases() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 150, "the cases are there");
    files
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Conv(_) => "Conv",
        Op::Linear(_) => "Linear",
        Op::MatMul => "MatMul",
        Op::Affine { .. } => "Affine",
        Op::Clip { .. } => "Clip",
        Op::Binary(_) => "Binary",
        Op::Function(_) => "Function",
        Op::Mask { .. } => "Mask",
        Op::Select => "Select",
        Op::Softmax { .. } => "Softmax",
        Op::Norm(_) => "Norm",
        Op::Reduce { .. } => "Reduce",
        Op::ArgMax { .. } => "ArgMax",
        Op::Noise { .. } => "noise",
        Op::MaxPool(_) => "MaxPool",
        Op::AveragePool { .. } => "AveragePool",
        Op::Embedding(_) => "Embedding",
        Op::Reshape => "Reshape",
        Op::Transpose { .. } => "Transpose",
        Op::Slice { .. } => "Slice",
        Op::Expand => "Expand",
        Op::Concat { .. } => "Concat",
        Op::Pad { .. } => "Pad",
        Op::Repeat { .. } => "Repeat",
        Op::Cast => "Cast",
    }
}

/// Runs one case; what is wrong with it, if anything.
fn check(path: &Path) -> Result<(), String> {
    let mut model = ModelProto::parse_from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let graph = model.graph.mut_or_insert_default();
    let expected_operators = graph.doc_string.clone();
    let test = |name: &str| {
        let tensor = graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
        Constant::decode(tensor).unwrap()
    };
    let (input, expected) = (test("test.input"), test("test.output"));
    graph.initializer.retain(|tensor| !tensor.name.starts_with("test."));
    let graph = Graph::parse(&model.write_to_bytes().unwrap(), path, &Default::default())
        .map_err(|e| e.to_string())?;
    let output = graph.value(graph.output);
    if output.shape != expected.shape {
        return Err(format!("shape {:?}, not {:?}", output.shape, expected.shape));
    }
    if (output.kind == Kind::Integer) != expected.is_integer() {
        return Err(format!("its output is {:?}", output.kind));
    }
    let operators: Vec<&str> = graph.nodes.iter().map(|node| kind(&node.op)).collect();
    if !expected_operators.is_empty() && operators.join(" ") != expected_operators {
        return Err(format!("read as {operators:?}, not {expected_operators}"));
    }
    if graph.nodes.iter().any(|node| node.sources.is_empty()) {
        return Err("a node without a source".into());
    }
    // Two samples, so that one cannot leak into the other.
    let second: Vec<f32> = input.to_f32().iter().rev().copied().collect();
    let values = FloatModel::new(&graph, Device::flex()).run(&[&second, &input.to_f32()]);
    for (at, (found, expected)) in values.sample(graph.output, 1).iter().zip(expected.to_f32()).enumerate() {
        let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        if !close && *found != expected {
            return Err(format!("element {at} is {found}, not {expected}"));
        }
    }
    Ok(())
}

#[test]
fn every_case_agrees_with_onnx_runtime() {
    let wrong: Vec<String> = cases()
        .iter()
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            check(path).err().map(|error| format!("{name}: {error}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}
