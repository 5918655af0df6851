//! The native engine, as the compiler wants it for its report.

use narrows_program::Program;

/// Runs programs natively.
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl narrows_compiler::Engine for Native {
    fn run(&self, program: &Program, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        narrows_executor::engine::Engine::new(program).run(input).map_err(|error| error.to_string())
    }
}
