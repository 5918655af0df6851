//! The native engine: as the compiler wants it for its report, and as people choose it.

use clap::ValueEnum;
use narrows_executor::engine::{Engine, Kernel};
use narrows_program::Program;

/// Which instructions the native engine may use. Its bytes are the same with all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EngineChoice {
    /// The fastest that this CPU has.
    #[default]
    Fastest,
    /// No CPU feature at all: the definition.
    Portable,
}

impl EngineChoice {
    /// Plans `program` for the choice.
    pub fn plan(self, program: &Program) -> Engine {
        let kernel = match self {
            Self::Fastest => Kernel::fastest(),
            Self::Portable => Kernel::Portable,
        };
        Engine::with(program, kernel)
    }
}

/// Runs programs natively.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl narrows_compiler::Engine for Native {
    fn run(&self, program: &Program, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        Engine::new(program).run(input).map_err(|error| error.to_string())
    }
}
