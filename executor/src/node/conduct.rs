//! What a node does with a job: run it, or lie about it.

use narrows_bisection::Trace;
use narrows_program::Program;

use crate::engine::Engine;

/// How an executor behaves. Every node but a test's is [`Honest`].
pub trait Conduct: Send + Sync {
    /// The trace to claim for `input`, or why there is none.
    ///
    /// # Errors
    /// A sentence for the operator of the node.
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String>;

    /// Whether disputes are answered at all.
    fn answers(&self) -> bool {
        true
    }

    /// Whether traces are handed out to whoever asks.
    fn serves(&self) -> bool {
        self.answers()
    }
}

/// Runs the model and claims what came out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Honest;

impl Conduct for Honest {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        let outputs = Engine::new(program).run(&input).map_err(|error| error.to_string())?;
        Trace::new(program, input, outputs).map_err(|error| error.to_string())
    }
}
