//! Named liars, for tests and for the demonstration: each is an executor's conduct.

use std::sync::Mutex;

use narrows_bisection::Trace;
use narrows_program::{DType, OperatorIndex, Program, Source};

use crate::engine::Engine;
use crate::node::{Conduct, Honest};

/// Changes one element of one operator's output and recomputes the rest from it, so that the trace is consistent elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct DoctoredOperator {
    /// The operator.
    pub operator: OperatorIndex,
    /// The element.
    pub element: usize,
    /// Added to the element; if the sum leaves the type's range, subtracted.
    pub delta: i64,
}

/// Changes bytes of a tensor in place: element `element` by `delta`, staying in range.
///
/// # Panics
/// When there is no such element.
pub fn shift_element(dtype: DType, bytes: &mut [u8], element: usize, delta: i64) {
    let value = dtype.read(bytes, element).expect("the element exists");
    let range = dtype.min()..=dtype.max();
    let moved = if range.contains(&(value + delta)) { value + delta } else { value - delta };
    let mut out = Vec::new();
    dtype.write(moved.clamp(dtype.min(), dtype.max()), &mut out);
    let at = element * dtype.bytes();
    bytes[at..at + dtype.bytes()].copy_from_slice(&out);
}

impl Conduct for DoctoredOperator {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        let dtype = program.operator(self.operator).dtype;
        let mut doctor = |operator: OperatorIndex, bytes: &mut Vec<u8>| {
            if operator == self.operator {
                shift_element(dtype, bytes, self.element, self.delta);
            }
        };
        let outputs = Engine::new(program).run_with(&input, &mut doctor).map_err(|e| e.to_string())?;
        Trace::new(program, input, outputs).map_err(|e| e.to_string())
    }
}

/// Runs the model truly, and claims the output with its greatest and least elements exchanged: another label.
#[derive(Debug, Clone, Copy, Default)]
pub struct WrongOutput;

impl Conduct for WrongOutput {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        let truth = Honest.trace(program, input)?;
        let mut outputs = truth.outputs().to_vec();
        let dtype = program.header().output.dtype;
        let last = outputs.last_mut().ok_or("no output")?;
        let values: Vec<i64> = (0..).map_while(|i| dtype.read(last, i)).collect();
        let greatest = (0..values.len()).max_by_key(|i| values[*i]).ok_or("no output")?;
        let least = (0..values.len()).min_by_key(|i| values[*i]).ok_or("no output")?;
        if values[greatest] == values[least] {
            shift_element(dtype, last, 0, 1);
        } else {
            let gap = values[greatest] - values[least];
            shift_element(dtype, last, greatest, -gap);
            shift_element(dtype, last, least, gap);
        }
        Trace::new(program, truth.input().to_vec(), outputs).map_err(|e| e.to_string())
    }
}

/// Runs the model with one bit of one weight flipped: the trace is consistent, but of another model.
#[derive(Debug, Clone, Copy)]
pub struct FlippedWeight {
    /// The operator whose weights are changed.
    pub operator: OperatorIndex,
    /// The byte of its constant.
    pub byte: usize,
    /// The bit, 0 to 7.
    pub bit: u8,
}

impl Conduct for FlippedWeight {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        let mut parts = program.parts();
        let weights = program.operator(self.operator).b.map(|b| b.source);
        let Some(Source::Constant(index)) = weights else {
            return Err(format!("operator {} has no weights", self.operator));
        };
        let bytes = &mut parts.constants[index.0 as usize].bytes;
        let byte = bytes.get_mut(self.byte).ok_or("the weights are shorter than that")?;
        *byte ^= 1 << (self.bit % 8);
        let other = Program::new(parts).map_err(|e| e.to_string())?;
        let trace = Honest.trace(&other, input)?;
        Trace::new(program, trace.input().to_vec(), trace.outputs().to_vec()).map_err(|e| e.to_string())
    }
}

/// Claims, for every new input, what the first input gave.
#[derive(Debug, Default)]
pub struct CopiedClaim(Mutex<Option<Vec<Vec<u8>>>>);

impl Conduct for CopiedClaim {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        let mut first = self.0.lock().map_err(|e| e.to_string())?;
        let outputs = match &*first {
            Some(outputs) => outputs.clone(),
            None => first.insert(Honest.trace(program, input.clone())?.outputs().to_vec()).clone(),
        };
        Trace::new(program, input, outputs).map_err(|e| e.to_string())
    }
}

/// Lies as another does, and answers no dispute.
#[derive(Debug, Clone, Copy)]
pub struct Withholding<C>(pub C);

impl<C: Conduct> Conduct for Withholding<C> {
    fn trace(&self, program: &Program, input: Vec<u8>) -> Result<Trace, String> {
        self.0.trace(program, input)
    }

    fn answers(&self) -> bool {
        false
    }
}
