//! Operand b as matrices of columns, one a chunk of terms.

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::Tensor;

use crate::engine::EngineError;
use crate::engine::chunk;
use crate::engine::exact::Scheme;
use crate::engine::gather::Gather;
use crate::engine::ints::{Ints, digits};
use crate::engine::reads::Reads;
use crate::engine::region::Region;

/// Operand b where it never changes: its tensor, and what regions planned before this one made of it.
#[derive(Debug)]
pub(crate) struct Weights {
    tensor: Ints<1>,
    made: HashMap<Key, Made>,
    /// Columns that are multiplied with records: by those's place, too, and by what is subtracted, if it is one term more.
    pub(super) scaled: HashMap<(Key, [u64; 4], i32, bool), Vec<Tensor<3>>>,
}

/// What columns are of: the address of the first column, and the lengths of the axes that are gathered.
pub(super) type Key = (u64, Vec<(usize, usize)>);

/// Weights as columns, one tensor a chunk of terms, and the greatest sum of a column's magnitudes.
pub(super) type Made = (Vec<Tensor<3>>, Vec<Range<usize>>, u128);

impl Weights {
    /// Nothing made yet.
    pub fn new(tensor: Ints<1>) -> Self {
        Self { tensor, made: HashMap::new(), scaled: HashMap::new() }
    }

    /// The columns of a region: what earlier ones made, or made now.
    pub(super) fn columns(
        &mut self,
        b: &Reads,
        region: &Region,
        axes: &[usize],
        sizes: [usize; 4],
        scheme: &Scheme,
    ) -> Result<(Key, Made), EngineError> {
        let key = (b.base(region), axes.iter().map(|a| (*a, region.len[*a])).collect());
        if let Some(made) = self.made.get(&key) {
            return Ok((key, made.clone()));
        }
        let gather = Gather::new(b, region, axes, &self.tensor.device())?;
        let whole = materialised(columns(&gather, self.tensor.clone(), scheme, sizes, 1.0));
        let (chunks, column) = chunk::by_weight(&whole, scheme)?;
        let parts = match chunks.len() {
            1 => vec![whole],
            _ => chunks.iter().map(|c| materialised(terms_of(&whole, c))).collect(),
        };
        let made = (parts, chunks, column);
        self.made.insert(key.clone(), made.clone());
        Ok((key, made))
    }
}

/// Operand b, multiplied, as [matrix, term, digit and column].
pub(super) fn columns(
    gather: &Gather,
    b: Ints<1>,
    scheme: &Scheme,
    [matrices, _, terms, cols]: [usize; 4],
    factor: f64,
) -> Tensor<3> {
    let make = |b| match factor {
        1.0 => digits(b, &scheme.b, scheme.carrier),
        _ => {
            let digits = digits(b, &scheme.b, scheme.carrier).into_iter();
            digits.map(|digit| digit.mul_scalar(factor)).collect()
        }
    };
    // Columns that are neighbours in memory are so in the matrix, too.
    if gather.stack_run() == cols {
        let parts = gather.stacks(b, make).into_iter();
        return joined(parts.map(|digit| digit.reshape([matrices, terms, cols])).collect(), 2);
    }
    let parts = gather.matrices(b, make).into_iter();
    joined(parts.map(|digit| digit.reshape([matrices, cols, terms])).collect(), 1).swap_dims(1, 2)
}

/// The parts side by side along an axis; a part alone is not copied.
pub(super) fn joined(mut parts: Vec<Tensor<3>>, axis: usize) -> Tensor<3> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, axis) }
}

/// A chunk of the terms.
pub(super) fn terms_of(whole: &Tensor<3>, chunk: &Range<usize>) -> Tensor<3> {
    let [matrices, terms, cols] = whole.dims();
    if chunk.len() == terms {
        whole.clone()
    } else {
        whole.clone().slice([0..matrices, chunk.clone(), 0..cols])
    }
}

/// The same tensor laid out afresh, so that no run pays for a transposed view.
fn materialised(tensor: Tensor<3>) -> Tensor<3> {
    let dims = tensor.dims();
    tensor.reshape([dims.iter().product::<usize>()]).reshape(dims)
}
