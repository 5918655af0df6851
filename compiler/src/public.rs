//! A program's input from real numbers, and its output back to them, by what its meta section says.

use narrows_program::{Program, Source, TensorMeta, TensorType};

use crate::error::CompileError;
use crate::lower::public_order;
use crate::requantise::Scale;
use crate::view::View;

/// More than any framework has.
const MOST_DIMENSIONS: usize = 64;

/// The canonical bytes of a sample in ONNX's order of elements: each value divided by the input's
/// scale, rounded, ties away from 0, clamped to the symmetric range of the type, and stored: of four dimensions
/// channels-last, else row-major.
///
/// # Errors
/// [`CompileError::Length`] for a sample of another length, [`CompileError::Meta`] for a program
/// whose meta section does not tell the input's shape and scale.
pub fn encode_input(program: &Program, sample: &[f32]) -> Result<Vec<u8>, CompileError> {
    let tensor = program.tensor(Source::Input);
    let (view, scale) = described(&program.meta().input, tensor, "input")?;
    check_length("the sample", sample.len(), tensor)?;
    let mut bytes = Vec::with_capacity(sample.len() * tensor.dtype.bytes());
    let mut stored = vec![0.0; sample.len()];
    view.addresses().iter().zip(sample).for_each(|(&at, &value)| stored[at] = value);
    for value in stored {
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
    let (view, scale) = described(&program.meta().output, tensor, "output")?;
    if !bytes.len().is_multiple_of(tensor.dtype.bytes()) {
        return Err(CompileError::Meta { which: "output", what: "type, which does not fit its bytes" });
    }
    check_length("the output", bytes.len() / tensor.dtype.bytes(), tensor)?;
    Ok(logical(&view, &real_values(bytes, tensor, scale)))
}

/// The real values of stored bytes, in the stored order.
pub(crate) fn real_values(bytes: &[u8], tensor: TensorType, scale: Scale) -> Vec<f32> {
    let count = bytes.len() / tensor.dtype.bytes();
    (0..count)
        .map_while(|at| tensor.dtype.read(bytes, at))
        .map(|steps| (steps as f64 * scale.real()) as f32)
        .collect()
}

/// Stored values in logical order.
pub(crate) fn logical(view: &View, stored: &[f32]) -> Vec<f32> {
    view.addresses().into_iter().map(|at| stored[at]).collect()
}

fn described(
    meta: &TensorMeta,
    tensor: TensorType,
    which: &'static str,
) -> Result<(View, Scale), CompileError> {
    let count = meta.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(u64::from(d)));
    if count != Some(tensor.elements) || meta.shape.len() > MOST_DIMENSIONS {
        return Err(CompileError::Meta { which, what: "shape" });
    }
    let shape: Vec<usize> = meta.shape.iter().map(|&d| d as usize).collect();
    let scale = Scale::from_bits(meta.scale_bits).ok_or(CompileError::Meta { which, what: "scale" })?;
    Ok((View::ordered(&shape, &public_order(shape.len())), scale))
}

fn check_length(what: &'static str, found: usize, tensor: TensorType) -> Result<(), CompileError> {
    let expected = tensor.elements as usize;
    if found == expected { Ok(()) } else { Err(CompileError::Length { what, found, expected }) }
}
