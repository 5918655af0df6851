//! The demonstration's language model: one step of it, unrolled into a program that generates.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use narrows_compiler::{Generation, Graph, ModelOptions, Options, Sampler, Samples};

use super::model::{Model, Shipped};
use crate::engine::Native;
use crate::output::{Output, dim};
use crate::report;

const STEP: &[u8] = include_bytes!("../../../fixtures/chargpt/chargpt-step.onnx");
const CALIBRATION: &[u8] = include_bytes!("../../../fixtures/chargpt/calibration.npz");
const TEST: &[u8] = include_bytes!("../../../fixtures/chargpt/test.npz");
const VOCABULARY: &[u8] = include_bytes!("../../../fixtures/chargpt/vocabulary.json");
/// Tokens of the prompt, and generated ones.
const PROMPT: usize = 16;
const TOKENS: usize = 64;
/// The generated token, from 1, at which the executor cheats.
const CHEATED: usize = 40;
/// Prompts that ranges are measured on, and prompts of the test set.
const CALIBRATED: usize = 8;
/// Folds of more terms than this are disputed segment by segment.
const SPLIT: u32 = 64;

/// Loads, unrolls and compiles the character GPT.
pub fn load(out: Output) -> Result<Model> {
    let shipped = Shipped::new()?;
    let generation = Generation { prompt: PROMPT, tokens: TOKENS, sampler: Sampler::Greedy };
    let options = ModelOptions { generation: Some(generation), ..Default::default() };
    let graph = Graph::parse(STEP, Path::new("fixtures/chargpt/chargpt-step.onnx"), &options)?;
    let calibration = prompts(&shipped.file("calibration.npz", CALIBRATION)?, CALIBRATED)?;
    let test = prompts(&shipped.file("test.npz", TEST)?, CALIBRATED)?;
    let options = Options { split: SPLIT, ..Options::default() };
    let compiled = narrows_compiler::compile(&graph, &calibration, &options, &mut |_| {})?;
    let report = compiled.report(&calibration, Some(&test), &Native, &mut |_| {})?;
    let program = Arc::new(compiled.into_program());
    let encode = |sample: &[f32]| narrows_compiler::encode_input(&program, sample);
    let inputs = [encode(&test.inputs[0])?, encode(&test.inputs[1])?];
    let vocabulary: Vec<String> =
        serde_json::from_slice(VOCABULARY).context("the vocabulary is a list of texts")?;
    // The step that chooses generated token n reads the token before it.
    let position = Some(PROMPT + CHEATED - 2);
    let model = Model { program, inputs, vocabulary, position };

    out.heading("1. A trained language model and the beginning of a text");
    let prompt: Vec<i64> = test.inputs[0].iter().map(|token| *token as i64).collect();
    out.line(format_args!("    {:?}", model.text(&prompt)));
    out.line(dim(format!(
        "    it is to go on for {TOKENS} characters, each the likeliest after all before it"
    )));
    out.heading("2. Compiled to exact integers, a copy of the step for each position");
    report::summary(out, &report);
    Ok(model)
}

/// The first prompts of windows of text.
fn prompts(path: &Path, count: usize) -> Result<Samples> {
    const WINDOW: usize = 128;
    let mut samples = Samples::load(path, &[1, WINDOW])?;
    samples.inputs.truncate(count);
    samples.inputs.iter_mut().for_each(|window| window.truncate(PROMPT));
    (samples.labels, samples.targets) = (None, None);
    Ok(samples)
}
