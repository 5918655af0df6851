//! Gathers by value: operand a says which row of operand b an output reads (SPEC 2.2, gather).

use burn::tensor::{Device, Tensor};
use narrows_program::Operator;

use super::EngineError;
use super::gather::Gather;
use super::ints::{Ints, wide};
use super::number::Number;
use super::reads::Reads;
use super::region::Region;

/// A planned gather by value.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    a: Gather,
    b: Gather,
    /// The greatest row.
    last: i64,
    /// From row to row, in runs of operand b's gather.
    step: i64,
    region: Region,
}

impl Lookup {
    /// Plans a region. Rows of b are read in runs where a is the same for neighbouring outputs.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn new(
        op: &Operator,
        a: &Reads,
        b: &Reads,
        region: Region,
        device: &Device,
    ) -> Result<Self, EngineError> {
        let mut axes = region.live();
        let same = axes.last().is_some_and(|last| !a.moves(*last));
        let row = if same { u64::from(op.scale_a.unsigned_abs()) } else { 1 };
        let b = Gather::whole(&Reads { row, ..*b }, &region, &axes, device);
        let run = b.stack_run();
        if run > 1 {
            axes.pop();
        }
        Ok(Self {
            a: Gather::new(a, &region, &axes, device)?,
            b,
            last: i64::from(op.scale_b) - 1,
            step: i64::from(op.scale_a) / run as i64,
            region,
        })
    }

    /// The accumulators of the region.
    pub fn run<N: Number>(&self, a: Ints<1>, b: Ints<1>) -> Tensor<4, N> {
        let rows = wide(self.a.matrix(a, 0)).clamp(0i64, self.last).mul_scalar(self.step);
        N::of_ints(self.b.moved(b, rows)).reshape(self.region.len)
    }
}
