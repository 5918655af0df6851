//! What a node does with a job: run it, or lie about it.

use narrows_bisection::Trace;
use narrows_bisection::trace::Exports;
use narrows_program::{Layer, Program};

use crate::engine::{Engine, Workspace};

/// How an executor behaves. Every node but a test's is [`Honest`].
pub trait Conduct: Send + Sync {
    /// The trace to claim for `input`, or why there is none. The same each time: when it is needed after the claim, it is made
    /// again from the journalled input.
    ///
    /// # Errors
    /// A sentence for the operator of the node.
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String>;

    /// What to claim for `input`: what [`Conduct::trace`] exports. A node that only claims asks for no more.
    ///
    /// # Errors
    /// As [`Conduct::trace`].
    fn exports(&self, program: &Program, _desk: &mut Desk, input: &[u8]) -> Result<Exports, String> {
        let trace = self.trace(program, input.to_vec())?;
        Ok(Exports::new(program, &|index| trace.operator(index)))
    }

    /// Whether disputes are answered at all.
    fn answers(&self) -> bool {
        true
    }

    /// Whether traces are handed out to whoever asks.
    fn serves(&self) -> bool {
        self.answers()
    }
}

/// An engine planned for one program, with the memory of its runs: made at the first run, then used again.
#[derive(Debug, Default)]
pub struct Desk(Option<(Engine, Workspace)>);

impl Desk {
    /// Runs `program`, whose desk this is, and commits to what its layers export. Nothing else is kept, and nothing else hashed.
    ///
    /// # Errors
    /// When the input is not the program's, or an output does not fit into memory.
    ///
    /// # Panics
    /// When this is another program's desk.
    pub fn run(&mut self, program: &Program, input: &[u8]) -> Result<Exports, String> {
        let (engine, workspace) = match &mut self.0 {
            Some(made) => made,
            none => {
                let engine = Engine::new(program);
                let kept = program.layers().iter().flat_map(Layer::exported);
                let workspace = engine.workspace(kept).map_err(|error| error.to_string())?;
                none.insert((engine, workspace))
            }
        };
        engine.run_in(workspace, input).map_err(|error| error.to_string())?;
        Ok(Exports::new(program, &|index| workspace.output(index).expect("exports are kept")))
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

    fn exports(&self, program: &Program, desk: &mut Desk, input: &[u8]) -> Result<Exports, String> {
        desk.run(program, input)
    }
}
