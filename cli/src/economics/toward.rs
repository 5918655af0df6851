//! A challenger that walks to one element, right or wrong.

use narrows_bisection::players::Choice;
use narrows_commitment::{Digest, TILE_BYTES, TensorRoot, Tile};
use narrows_program::{ElementIndex, OperatorIndex, Program};

/// A challenger that walks to one element, right or wrong.
pub struct Toward {
    /// The children to pick, in order, through both trees.
    children: std::vec::IntoIter<usize>,
    position: usize,
    element: usize,
    segment: usize,
}

impl Toward {
    /// Toward an element of the program's.
    pub fn new(program: &Program, operator: OperatorIndex, element: ElementIndex) -> Self {
        let bits = u32::from(program.header().reveal_bits);
        let (layer, position) = program.layer_of(operator);
        let parts = program.operator(operator);
        let tile = u64::from(element.0) * parts.dtype.bytes() as u64 / TILE_BYTES as u64;
        let mut children = Vec::new();
        let mut walk = |index: u64, depth: u32, left: u32| {
            let mut remaining = depth;
            while remaining > left || (left == 0 && children.is_empty()) {
                let levels = bits.min(remaining - left);
                remaining -= levels;
                children.push(((index >> remaining) & ((1 << levels) - 1)) as usize);
            }
        };
        // A tree of one layer takes one pick all the same; the last two levels of a tensor's take none.
        walk(u64::from(layer.0), program.layers_tree().depth(), 0);
        walk(tile, parts.tensor().depth(), 2);
        Self {
            children: children.into_iter(),
            position: usize::from(position),
            element: element.0 as usize,
            segment: parts.segments() as usize - 1,
        }
    }
}

impl Choice for Toward {
    fn child(&mut self, _claimed: &[Digest], _own: &[Digest]) -> Option<usize> {
        self.children.next()
    }

    fn operator(&mut self, _claimed: &[TensorRoot], _own: &[TensorRoot]) -> Option<usize> {
        Some(self.position)
    }

    fn element(&mut self, claimed: &[Tile], _own: &[Tile], size: usize) -> Option<(usize, usize)> {
        let in_tile = TILE_BYTES / size;
        // The tiles shown are at most four, aligned; those before them were picked past.
        let slot = (self.element / in_tile) % 4;
        Some((slot.min(claimed.len() - 1), self.element % in_tile))
    }

    fn segment(&mut self, _claimed: &[i64], _own: &[i64]) -> Option<usize> {
        Some(self.segment)
    }
}
