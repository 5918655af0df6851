//! The demonstration's digits model: compiled and measured on the spot, and the digit that is hardest for it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use narrows_compiler::{Graph, LayersOption, Options, Report, Samples};
use narrows_executor::engine::Engine;
use narrows_program::Program;

use super::model::{Model, Shipped};
use crate::engine::Native;
use crate::lies::Answer;
use crate::output::{Output, dim};
use crate::{files, picture, report};

const MODEL: &[u8] = include_bytes!("../../../fixtures/digits/digits.onnx");
const CALIBRATION: &[u8] = include_bytes!("../../../fixtures/digits/calibration.npz");
const TEST: &[u8] = include_bytes!("../../../fixtures/digits/test.npz");
/// Folds of more terms than this are disputed segment by segment, and layers have two operators, so that a small model shows
/// every phase.
const SPLIT: u32 = 64;
const LAYERS: LayersOption = LayersOption::Count(2);

/// Loads, compiles and measures the digits model.
pub fn load(out: Output) -> Result<Model> {
    let shipped = Shipped::new()?;
    let graph = Graph::parse(MODEL, Path::new("fixtures/digits/digits.onnx"), &Default::default())?;
    let shape = graph.value(graph.input).shape.clone();
    let calibration = Samples::load(&shipped.file("calibration.npz", CALIBRATION)?, &shape)?;
    let test = Samples::load(&shipped.file("test.npz", TEST)?, &shape)?;
    let options = Options { split: SPLIT, layers: LAYERS, ..Options::default() };
    let compiled = narrows_compiler::compile(&graph, &calibration, &options, &mut |_| {})?;
    let report: Report = compiled.report(&calibration, Some(&test), &Native, &mut |_| {})?;
    let program = Arc::new(compiled.into_program());
    let shown = hardest(&program, &test)?;
    let inputs = [
        encode(&program, &test.inputs[shown])?,
        encode(&program, &test.inputs[(shown + 1) % test.inputs.len()])?,
    ];

    out.heading("1. A trained model and a real scanned digit");
    let pixels: Vec<u8> = test.inputs[shown].iter().map(|v| (v * 255.0) as u8).collect();
    picture::grey(&pixels, 8).iter().for_each(|row| out.line(format_args!("    {row}")));
    out.line(dim(format!(
        "    test image {shown}: the one that the model gets right with the least to spare"
    )));
    out.heading("2. Compiled to exact integers");
    report::show(out, &report);
    Ok(Model { program, inputs, vocabulary: Vec::new(), position: None })
}

fn encode(program: &Program, sample: &[f32]) -> Result<Vec<u8>> {
    Ok(narrows_compiler::encode_input(program, sample)?)
}

/// The test image that the program labels rightly with the smallest lead: where a small lie goes a long way.
fn hardest(program: &Program, test: &Samples) -> Result<usize> {
    let engine = Engine::new(program);
    let labels = test.labels.as_ref().context("the test images have labels")?;
    let mut best: Option<(i64, usize)> = None;
    for (index, (sample, right)) in test.inputs.iter().zip(labels).enumerate() {
        let outputs = engine.run(&encode(program, sample)?)?;
        let mut values = files::integers(program.header().output.dtype, &outputs[outputs.len() - 1]);
        if Answer::of(program, &outputs[outputs.len() - 1]) != Answer::Label(*right) {
            continue;
        }
        values.sort_unstable();
        let lead = values[values.len() - 1] - values[values.len() - 2];
        if best.is_none_or(|(least, _)| lead < least) {
            best = Some((lead, index));
        }
    }
    best.map(|(_, index)| index).context("the model labels no test image rightly")
}
