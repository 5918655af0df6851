//! An operand of a single term: gathered along the axes that move it, broadcast along the others.

use burn::tensor::{Device, Tensor};

use super::EngineError;
use super::gather::Gather;
use super::ints::Ints;
use super::number::Number;
use super::reads::Reads;
use super::region::Region;

/// A planned operand.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    gather: Gather,
    shape: [usize; 4],
}

impl Spread {
    /// Plans the axes of a region.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(reads: &Reads, region: &Region, device: &Device) -> Result<Self, EngineError> {
        let axes: Vec<usize> = region.live().into_iter().filter(|axis| reads.moves(*axis)).collect();
        let shape = std::array::from_fn(|axis| if axes.contains(&axis) { region.len[axis] } else { 1 });
        Ok(Self { gather: Gather::new(reads, region, &axes, device)?, shape })
    }

    /// The same values in another shape of as many elements.
    pub fn shaped(self, shape: [usize; 4]) -> Self {
        assert_eq!(
            shape.iter().product::<usize>(),
            self.shape.iter().product::<usize>(),
            "the same elements"
        );
        Self { shape, ..self }
    }

    /// The operand; axes that do not move it have length 1.
    pub fn run<N: Number>(&self, source: Ints<1>) -> Tensor<4, N> {
        N::of_ints(self.gather.matrix(source, 0)).reshape(self.shape)
    }
}
