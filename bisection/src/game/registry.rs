//! A program as the contracts know it, and what its header makes a match cost (PROTOCOL 2).

use narrows_commitment::{LayersRoot, depth_for};
use narrows_program::Header;

use crate::{Parameters, Wei};

/// Gas that one answer takes: this, and so much for each of 2^b nodes.
const ANSWER_GAS: u64 = 50_000;
const NODE_GAS: u64 = 1_600;
/// Gas of the executor's answers that are no reveals: a sub-trace of 32 roots, the tiles, 256 partial values.
const OTHER_GAS: u128 = 300_000;

/// A program as the registry keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The header, well-formed.
    pub header: Header,
    /// The root of the tree over the layers.
    pub layers_root: LayersRoot,
}

impl Registered {
    /// Depth of the tree of layers, L.
    #[must_use]
    pub fn layers_depth(&self) -> u32 {
        depth_for(u64::from(self.header.layers))
    }

    /// The most reveals that a match may need, R = rounds(L, b) + rounds(max(T - 2, 0), b).
    #[must_use]
    pub fn reveal_rounds(&self) -> u64 {
        let bits = u32::from(self.header.reveal_bits);
        let tensor = u32::from(self.header.max_tensor_depth).saturating_sub(2);
        u64::from(self.layers_depth().div_ceil(bits) + tensor.div_ceil(bits))
    }

    /// Gas that one answer is taken to need.
    #[must_use]
    pub fn answer_gas(&self) -> u64 {
        ANSWER_GAS + (NODE_GAS << self.header.reveal_bits)
    }

    /// The most moves that a match may need.
    #[must_use]
    pub fn moves(&self) -> u64 {
        2 * self.reveal_rounds() + 8
    }

    /// The challenger's bond; `None` when it does not fit 128 bits.
    #[must_use]
    pub fn bond(&self, parameters: &Parameters) -> Option<Wei> {
        let gas = u128::from(self.reveal_rounds()) * u128::from(self.answer_gas()) + OTHER_GAS;
        let insured = gas.checked_mul(2)?.checked_mul(parameters.fee_cap.0)?;
        insured.checked_add(parameters.delay_fee.0).map(Wei)
    }

    /// ceil(work * workPrice / 2^30), burned with each claim; `None` when it does not fit 128 bits.
    #[must_use]
    pub fn claim_fee(&self, parameters: &Parameters) -> Option<Wei> {
        // The price in halves of 64 bits, for the product may have 191; the upper half's is a multiple of 2^64.
        let work = u128::from(self.header.work);
        let (upper, lower) = (parameters.work_price.0 >> 64, parameters.work_price.0 & u128::from(u64::MAX));
        let upper = (work * upper).checked_mul(1 << 34)?;
        upper.checked_add((work * lower).div_ceil(1 << 30)).map(Wei)
    }
}
