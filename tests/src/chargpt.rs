//! The character GPT of `fixtures/`: compiled here, as a whole window or as a program that generates.

use std::path::{Path, PathBuf};

use narrows_compiler::{Engine, Generation, Graph, ModelOptions, Options, Samples, compile};
use narrows_program::Program;

/// Tokens of a window.
pub const WINDOW: usize = 128;

/// The native engine, as the compiler wants it.
#[derive(Debug, Clone, Copy)]
pub struct Native;

impl Engine for Native {
    fn run(&self, program: &Program, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        narrows_executor::engine::Engine::new(program).run(input).map_err(|error| error.to_string())
    }
}

/// A file of the fixture.
#[must_use]
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/chargpt").join(name)
}

/// Windows of text that ranges are measured on, or of the test set with the characters that follow.
///
/// # Panics
/// When the fixture is damaged.
#[must_use]
pub fn windows(name: &str) -> Samples {
    Samples::load(&file(name), &[1, WINDOW]).expect("windows of text")
}

/// The first `prompt` tokens of the first `count` windows.
#[must_use]
pub fn prompts(name: &str, prompt: usize, count: usize) -> Samples {
    let windows = windows(name).inputs.into_iter().take(count);
    Samples::of(windows.map(|window| window[..prompt].to_vec()).collect())
}

/// The whole window's graph.
///
/// # Panics
/// When the fixture is damaged.
#[must_use]
pub fn window() -> Graph {
    Graph::load(&file("chargpt.onnx"), &ModelOptions::default()).expect("the fixture is a model")
}

/// The step's graph, repeated.
///
/// # Panics
/// When the fixture is damaged.
#[must_use]
pub fn generating(generation: Generation) -> Graph {
    let options = ModelOptions { generation: Some(generation), ..Default::default() };
    Graph::load(&file("chargpt-step.onnx"), &options).expect("the fixture is a step")
}

/// A program that generates, calibrated on inputs.
///
/// # Panics
/// When it does not compile.
#[must_use]
pub fn program(graph: &Graph, calibration: &Samples) -> Program {
    let options = Options { split: 64, ..Options::default() };
    compile(graph, calibration, &options, &mut |_| {}).expect("the fixture compiles").into_program()
}
