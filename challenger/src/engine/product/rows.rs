//! Operand a's gathers, shared by regions that read the same rows: columns of one product, each a region.

use std::collections::HashMap;

use burn::tensor::Device;

use crate::engine::EngineError;
use crate::engine::gather::Gather;
use crate::engine::reads::Reads;
use crate::engine::region::Region;

/// What rows are of: where a region begins on the axes that move operand a, and the lengths of the gathered axes.
type Key = ([u64; 4], Vec<(usize, usize)>);

/// The gathers of regions planned before this one.
#[derive(Debug, Default)]
pub(crate) struct Rows(HashMap<Key, Gather>);

impl Rows {
    /// The gather of a region's rows: an earlier region's, or planned now.
    ///
    /// # Errors
    /// [`EngineError::Device`] when an index cannot be read back.
    pub fn gather(
        &mut self,
        a: &Reads,
        region: &Region,
        axes: &[usize],
        device: &Device,
    ) -> Result<Gather, EngineError> {
        let start = std::array::from_fn(|axis| if a.moves(axis) { region.start[axis] } else { 0 });
        let key = (start, axes.iter().map(|axis| (*axis, region.len[*axis])).collect());
        if let Some(gather) = self.0.get(&key) {
            return Ok(gather.clone());
        }
        let gather = Gather::new(a, region, axes, device)?;
        self.0.insert(key, gather.clone());
        Ok(gather)
    }
}
