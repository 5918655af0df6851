//! An operator's output while it is made: filled part by part, read as a tensor, given out as canonical bytes.

use burn::tensor::{Device, Tensor, TensorData};
use narrows_program::DType;
use rayon::prelude::*;

use super::EngineError;
use super::ints::Ints;
use super::region::Runs;

/// Elements in the type that they are stored in.
#[derive(Debug, Clone)]
pub(crate) enum Elements {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

/// Runs of neighbouring elements of an output, all of one length, to be filled.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    I8(Vec<&'a mut [i8]>),
    I16(Vec<&'a mut [i16]>),
    I32(Vec<&'a mut [i32]>),
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
        elements.parts(&[(count, vec![0])]).remove(0).fill(tensor, 0)?;
        Ok(elements)
    }

    /// Cuts them into parts: for each the length of its runs, and where they begin. Every element is of one part.
    pub fn parts(&mut self, parts: &[Runs]) -> Vec<Part<'_>> {
        fn cut<'a, T>(
            mut rest: &'a mut [T],
            parts: &[Runs],
            part: impl Fn(Vec<&'a mut [T]>) -> Part<'a>,
        ) -> Vec<Part<'a>> {
            let starts =
                parts.iter().enumerate().flat_map(|(p, (_, starts))| starts.iter().map(move |s| (*s, p)));
            let mut starts: Vec<(usize, usize)> = starts.collect();
            starts.sort_unstable();
            let mut runs: Vec<Vec<&mut [T]>> =
                parts.iter().map(|(_, s)| Vec::with_capacity(s.len())).collect();
            for (_, p) in starts {
                let (run, left) = std::mem::take(&mut rest).split_at_mut(parts[p].0);
                rest = left;
                runs[p].push(run);
            }
            runs.into_iter().map(part).collect()
        }
        match self {
            Self::I8(values) => cut(values, parts, Part::I8),
            Self::I16(values) => cut(values, parts, Part::I16),
            Self::I32(values) => cut(values, parts, Part::I32),
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
    /// Fills it with a tensor of its type and size, or with one of the unsigned type of its width that counts from `first`.
    ///
    /// It should be the tensor's last handle: burn-ndarray reads a tensor of which there is a second one element at a time, a
    /// thousand times slower.
    ///
    /// # Errors
    /// [`EngineError::Device`] when the tensor is another one or cannot be read.
    pub fn fill(&mut self, tensor: Ints<1>, first: i32) -> Result<(), EngineError> {
        fn copy<T, F: Copy>(
            to: &mut [&mut [T]],
            from: &[F],
            read: impl Fn(F) -> T,
        ) -> Result<(), EngineError> {
            let count = to.iter().map(|run| run.len()).sum::<usize>();
            if count != from.len() {
                let text = format!("{} elements instead of {count}", from.len());
                return Err(EngineError::Device(text));
            }
            let run = from.len() / to.len().max(1);
            for (to, from) in to.iter_mut().zip(from.chunks(run.max(1))) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = read(*from));
            }
            Ok(())
        }
        let data = tensor.try_into_data().map_err(|e| EngineError::Device(e.to_string()))?;
        let wrong = |e| EngineError::Device(format!("{e:?}"));
        match (self, first) {
            (Self::I8(to), 0) => copy(to, data.as_slice().map_err(wrong)?, |v: i8| v),
            (Self::I16(to), 0) => copy(to, data.as_slice().map_err(wrong)?, |v: i16| v),
            (Self::I32(to), 0) => copy(to, data.as_slice().map_err(wrong)?, |v: i32| v),
            // An element is within its type, so that what its upper bits would be may be left out.
            (Self::I8(to), _) => {
                copy(to, data.as_slice().map_err(wrong)?, |v: u8| v.wrapping_add(first as u8) as i8)
            }
            (Self::I16(to), _) => {
                copy(to, data.as_slice().map_err(wrong)?, |v: u16| v.wrapping_add(first as u16) as i16)
            }
            (Self::I32(to), _) => {
                copy(to, data.as_slice().map_err(wrong)?, |v: u32| v.wrapping_add(first as u32) as i32)
            }
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
