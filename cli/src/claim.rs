//! A claim as a file: what an executor says of one run.

use anyhow::{Context as _, Result};
use narrows_bisection::Trace;
use narrows_commitment::{ProgramRoot, TraceRoot};
use narrows_program::Program;
use serde::{Deserialize, Serialize};

/// What is claimed: this program, on this input, has this trace and this output. Bytes are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimFile {
    /// The program.
    pub program: ProgramRoot,
    /// The input's canonical bytes.
    pub input: String,
    /// The output's canonical bytes.
    pub output: String,
    /// The trace.
    pub trace_root: TraceRoot,
}

impl ClaimFile {
    /// The claim that `trace` makes.
    pub fn of(program: &Program, trace: &Trace) -> Self {
        Self {
            program: program.root(),
            input: hex(trace.input()),
            output: hex(trace.output()),
            trace_root: trace.root(),
        }
    }

    /// Reads a claim file.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("is no claim; write one with `narrows run --claim`")
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
pub fn unhex(text: &str) -> Result<Vec<u8>> {
    let bad = "holds text that is not hexadecimal; fetch the claim again";
    anyhow::ensure!(text.len().is_multiple_of(2) && text.is_ascii(), bad);
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).context(bad)).collect()
}
