//! A program's input from real numbers, and its output back to them, by what its meta section says.

use narrows_program::{Program, Source, TensorMeta, TensorType};

use crate::error::CompileError;
use crate::layout::Layout;
use crate::requantise::Scale;

/// The canonical bytes of a sample in ONNX's order of elements: each value divided by the input's
/// scale, rounded, ties away from 0, clamped to the symmetric range of the type, and stored
/// channels-last.
///
/// # Errors
/// [`CompileError::Length`] for a sample of another length, [`CompileError::Meta`] for a program
/// whose meta section does not tell the input's shape and scale.
pub fn encode_input(program: &Program, sample: &[f32]) -> Result<Vec<u8>, CompileError> {
    let tensor = program.tensor(Source::Input);
    let (layout, scale) = described(&program.meta().input, tensor, "input")?;
    check_length("the sample", sample.len(), tensor)?;
    let mut bytes = Vec::with_capacity(sample.len() * tensor.dtype.bytes());
    for value in layout.store(sample) {
        tensor.dtype.write(scale.quantise(f64::from(value), tensor.dtype), &mut bytes);
    }
    Ok(bytes)
}

/// The real values of a program's output bytes, in ONNX's order of elements.
///
/// # Errors
/// As [`encode_input`].
pub fn decode_output(program: &Program, bytes: &[u8]) -> Result<Vec<f32>, CompileError> {
    let tensor = program.header().output;
    let (layout, scale) = described(&program.meta().output, tensor, "output")?;
    if !bytes.len().is_multiple_of(tensor.dtype.bytes()) {
        return Err(CompileError::Meta { which: "output", what: "type, which does not fit its bytes" });
    }
    check_length("the output", bytes.len() / tensor.dtype.bytes(), tensor)?;
    Ok(layout.unstore(&real_values(bytes, tensor, scale)))
}

/// The real values of stored bytes, in the stored order.
pub(crate) fn real_values(bytes: &[u8], tensor: TensorType, scale: Scale) -> Vec<f32> {
    let count = bytes.len() / tensor.dtype.bytes();
    (0..count)
        .map_while(|at| tensor.dtype.read(bytes, at))
        .map(|steps| (steps as f64 * scale.real()) as f32)
        .collect()
}

fn described(
    meta: &TensorMeta,
    tensor: TensorType,
    which: &'static str,
) -> Result<(Layout, Scale), CompileError> {
    let at = |axis: usize| meta.shape.get(axis).map_or(1, |&d| d as usize);
    let shape = meta.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::from(d)));
    if shape != Some(tensor.elements) || at(0) != 1 || !(2..=4).contains(&meta.shape.len()) {
        return Err(CompileError::Meta { which, what: "shape" });
    }
    let scale = Scale::from_bits(meta.scale_bits).ok_or(CompileError::Meta { which, what: "scale" })?;
    Ok((Layout([at(1), at(2), at(3)]), scale))
}

fn check_length(what: &'static str, found: usize, tensor: TensorType) -> Result<(), CompileError> {
    let expected = tensor.elements as usize;
    if found == expected { Ok(()) } else { Err(CompileError::Length { what, found, expected }) }
}
