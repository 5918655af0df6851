//! The native engine: evaluates a whole program and keeps every layer's canonical bytes (SPEC 2).
//!
//! A plan is built once for a program. A layer then runs in one of two ways, both exact and both parallel over the
//! output: *rows* (a dot product whose a-terms serve several outputs: gathered once, then multiplied with contiguous
//! rows of b) and *lanes* (everything else: neighbouring outputs side by side, one term at a time).
//!
//! | module | what it holds |
//! |---|---|
//! | `plan` | what a layer needs at run time: strides, merged dimensions, the way it runs |
//! | `pack` | copies of operand b in the order in which a layer reads it |
//! | `span` | the terms inside the windows, and where they stand |
//! | `rows`, `lanes` | the two ways |
//! | `kernel` | products of slices |
//! | `finish` | requantisation and canonical bytes |

mod finish;
mod kernel;
mod lanes;
mod pack;
mod plan;
mod rows;
mod span;
mod values;

#[cfg(test)]
mod tests;

use narrows_program::{DType, LayerIndex, Program, Source};

use plan::Layer;
use values::{Values, with_values};

// Addresses of a legal program and steps between them fit 48 bits, so no sum of a few of them overflows.
const _: () = assert!(usize::BITS >= 64, "the engine counts in 64 bits");

/// Why a program was not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The input has another size than the program's.
    #[error(
        "the input has {given} bytes, but the program reads {expected}; give {elements} elements of {dtype:?} \
             as little-endian bytes in row-major order"
    )]
    InputLength {
        /// Bytes that the program reads.
        expected: u64,
        /// Bytes that were given.
        given: u64,
        /// Elements of the input.
        elements: u64,
        /// Type of the input's elements.
        dtype: DType,
    },
    /// A hook changed the size of a layer's output.
    #[error(
        "the hook left {given} bytes in layer {layer}, whose output has {expected}; change bytes, not their number"
    )]
    OutputLength {
        /// The layer.
        layer: LayerIndex,
        /// Bytes of its output.
        expected: u64,
        /// Bytes that the hook left.
        given: u64,
    },
    /// A layer's output does not fit into memory.
    #[error(
        "layer {layer} needs {bytes} bytes for its output, which this machine does not have; use a larger one"
    )]
    Memory {
        /// The layer.
        layer: LayerIndex,
        /// Bytes of its output.
        bytes: u64,
    },
}

/// Evaluates one program, bit for bit as SPEC 2 says, on any machine.
#[derive(Debug, Clone)]
pub struct Engine {
    input: narrows_program::TensorType,
    /// Operands' constants, decoded; empty for lists of records, which layers hold themselves.
    constants: Vec<Values>,
    layers: Vec<Layer>,
}

impl Engine {
    /// Plans the evaluation of `program`: decodes its constants and chooses how each layer runs.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let constants: Vec<Values> =
            program.constants().iter().map(|c| Values::decode(c.dtype, &c.bytes)).collect();
        let layers = plan::layers(program, &constants);
        Self { input: program.header().input, constants, layers }
    }

    /// Every layer's canonical output bytes, in order; the last is the program's output.
    ///
    /// # Errors
    /// When `input` is not the canonical bytes of the program's input tensor, or an output does not fit into memory.
    pub fn run(&self, input: &[u8]) -> Result<Vec<Vec<u8>>, RunError> {
        self.run_with(input, &mut |_, _| {})
    }

    /// As [`Engine::run`], but calls `after` with each layer's bytes before any later layer reads them. What `after`
    /// writes there is what later layers read: so tests and demonstrations play an executor that lies consistently.
    ///
    /// # Errors
    /// As [`Engine::run`], and when `after` changes the number of bytes.
    pub fn run_with(
        &self,
        input: &[u8],
        after: &mut dyn FnMut(LayerIndex, &mut Vec<u8>),
    ) -> Result<Vec<Vec<u8>>, RunError> {
        let expected = self.input.bytes();
        if input.len() as u64 != expected {
            let (given, elements, dtype) = (input.len() as u64, self.input.elements, self.input.dtype);
            return Err(RunError::InputLength { expected, given, elements, dtype });
        }
        let input = Values::decode(self.input.dtype, input);
        let mut outputs: Vec<Vec<u8>> = Vec::with_capacity(self.layers.len());
        // The outputs that a later layer still reads, decoded.
        let mut live: Vec<Option<Values>> = Vec::with_capacity(self.layers.len());
        for (position, layer) in self.layers.iter().enumerate() {
            let index = LayerIndex(position as u32);
            let mut bytes = zeroed(index, layer.output_bytes())?;
            let read = |source: Source| match source {
                Source::Input => &input,
                Source::Constant(constant) => &self.constants[constant.0 as usize],
                Source::Layer(earlier) => {
                    live[earlier.0 as usize].as_ref().expect("an output is kept until its last reader ran")
                }
            };
            evaluate(layer, read(layer.a.source), layer.b.as_ref().map(|b| read(b.source)), &mut bytes);
            after(index, &mut bytes);
            if bytes.len() != layer.output_bytes() {
                let (expected, given) = (layer.output_bytes() as u64, bytes.len() as u64);
                return Err(RunError::OutputLength { layer: index, expected, given });
            }
            for source in layer.sources() {
                if let Source::Layer(earlier) = source
                    && self.layers[earlier.0 as usize].last_reader == Some(index)
                {
                    live[earlier.0 as usize] = None;
                }
            }
            live.push(layer.last_reader.map(|_| Values::decode(layer.dtype, &bytes)));
            outputs.push(bytes);
        }
        Ok(outputs)
    }
}

fn zeroed(layer: LayerIndex, length: usize) -> Result<Vec<u8>, RunError> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| RunError::Memory { layer, bytes: length as u64 })?;
    bytes.resize(length, 0);
    Ok(bytes)
}

/// Writes the canonical output of `layer` for these operands.
fn evaluate(layer: &Layer, a: &Values, b: Option<&Values>, out: &mut [u8]) {
    let packed = match (&layer.packed, &layer.pack, b) {
        (None, Some(pack), Some(b)) => Some(pack.apply(b)),
        _ => None,
    };
    let b = packed.as_ref().or(layer.packed.as_ref()).or(b);
    match (layer.way, b) {
        (plan::Way::Rows { block }, Some(b)) => with_values!(b, b => rows::run(layer, a, b, block, out)),
        (plan::Way::Rows { .. }, None) => unreachable!("only a dot product runs by rows, and it has a b"),
        (plan::Way::Lanes { narrow }, b) => lanes::run(layer, a, b, narrow, out),
    }
}
