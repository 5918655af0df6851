//! An operator's output while it is made: filled part by part, read as a tensor, given out as canonical bytes.

use burn::tensor::{Device, Tensor, TensorData};
use narrows_program::DType;
use rayon::prelude::*;

use super::EngineError;
use super::ints::Ints;

/// Elements in the type that they are stored in.
#[derive(Debug, Clone)]
pub(crate) enum Elements {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

/// Neighbouring elements of an output, to be filled.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    I8(&'a mut [i8]),
    I16(&'a mut [i16]),
    I32(&'a mut [i32]),
}

impl Elements {
    /// So many zeros.
    pub fn zeros(dtype: DType, count: usize) -> Self {
        match dtype {
            DType::I8 => Self::I8(vec![0; count]),
            DType::I16 => Self::I16(vec![0; count]),
            DType::I32 => Self::I32(vec![0; count]),
            DType::Params => unreachable!("no operator of a legal program gives records"),
        }
    }

    /// Those of a tensor of this type.
    ///
    /// # Errors
    /// As [`Part::fill`].
    pub fn of(tensor: Ints<1>, dtype: DType) -> Result<Self, EngineError> {
        let [count] = tensor.dims();
        let mut elements = Self::zeros(dtype, count);
        elements.parts(&[count]).remove(0).fill(tensor)?;
        Ok(elements)
    }

    /// Cuts them into parts of these sizes, in order.
    pub fn parts(&mut self, sizes: &[usize]) -> Vec<Part<'_>> {
        fn cut<'a, T>(
            mut rest: &'a mut [T],
            sizes: &[usize],
            part: impl Fn(&'a mut [T]) -> Part<'a>,
        ) -> Vec<Part<'a>> {
            let next = |size: &usize| {
                let (first, left) = std::mem::take(&mut rest).split_at_mut(*size);
                rest = left;
                part(first)
            };
            sizes.iter().map(next).collect()
        }
        match self {
            Self::I8(values) => cut(values, sizes, Part::I8),
            Self::I16(values) => cut(values, sizes, Part::I16),
            Self::I32(values) => cut(values, sizes, Part::I32),
        }
    }

    /// Their canonical bytes.
    pub fn canonical(&self) -> Vec<u8> {
        match self {
            Self::I8(values) => bytes(values, i8::to_le_bytes),
            Self::I16(values) => bytes(values, i16::to_le_bytes),
            Self::I32(values) => bytes(values, i32::to_le_bytes),
        }
    }

    /// The tensor of them, without a copy.
    pub fn tensor(self, device: &Device) -> Ints<1> {
        let data = match self {
            Self::I8(values) => data(values),
            Self::I16(values) => data(values),
            Self::I32(values) => data(values),
        };
        let kind = data.dtype();
        Tensor::from_data(data, (device, kind))
    }
}

impl Part<'_> {
    /// Fills it with a tensor of its type and size.
    ///
    /// It should be the tensor's last handle: burn-ndarray reads a tensor of which there is a second one element at a time, a
    /// thousand times slower.
    ///
    /// # Errors
    /// [`EngineError::Device`] when the tensor is another one or cannot be read.
    pub fn fill(&mut self, tensor: Ints<1>) -> Result<(), EngineError> {
        fn copy<T: Copy>(to: &mut [T], from: &[T]) -> Result<(), EngineError> {
            if to.len() != from.len() {
                let text = format!("{} elements instead of {}", from.len(), to.len());
                return Err(EngineError::Device(text));
            }
            to.copy_from_slice(from);
            Ok(())
        }
        let data = tensor.try_into_data().map_err(|e| EngineError::Device(e.to_string()))?;
        let wrong = |e| EngineError::Device(format!("{e:?}"));
        match self {
            Self::I8(to) => copy(to, data.as_slice().map_err(wrong)?),
            Self::I16(to) => copy(to, data.as_slice().map_err(wrong)?),
            Self::I32(to) => copy(to, data.as_slice().map_err(wrong)?),
        }
    }
}

fn data<T: burn::tensor::Element>(values: Vec<T>) -> TensorData {
    let count = values.len();
    TensorData::new(values, [count])
}

/// Elements that a thread writes at once.
const WRITTEN: usize = 1 << 15;

fn bytes<T: Copy + Sync, const N: usize>(values: &[T], write: impl Fn(T) -> [u8; N] + Sync) -> Vec<u8> {
    let mut out = vec![0; N * values.len()];
    let some = |(out, values): (&mut [u8], &[T])| {
        let (parts, _) = out.as_chunks_mut::<N>();
        parts.iter_mut().zip(values).for_each(|(part, value)| *part = write(*value));
    };
    out.par_chunks_mut(N * WRITTEN).zip(values.par_chunks(WRITTEN)).for_each(some);
    out
}
