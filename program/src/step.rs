//! How much a step of the referee opens (SPEC 5, witness): at most what a transaction carries.

use crate::legal::{Checked, ensure, limits};
use crate::{Operand, Operator, Rule, TensorType};

/// Bytes of a tile, and of its index.
const TILE: u64 = 128;
const OPENED: u64 = TILE + 4;
/// Bytes of a proof's node.
const NODE: u64 = 32;

/// Whether a step over `terms` neighbouring terms of `op`, whose operands are these tensors, fits a transaction.
#[must_use]
pub fn step_fits(op: &Operator, a: TensorType, b: Option<TensorType>, terms: u64) -> bool {
    check(op, a, b, terms).is_ok()
}

pub(crate) fn check(op: &Operator, a: TensorType, b: Option<TensorType>, terms: u64) -> Checked {
    let rule = Rule::Witness;
    let runs = rows(op, terms);
    ensure(runs <= limits::MAX_STEP_ROWS, rule, || format!("a step walks {runs} rows; lower the split"))?;
    let mut bytes = 0;
    for (operand, tensor, name) in [(Some(&op.a), Some(a), "a"), (op.b.as_ref(), b, "b")] {
        let (Some(operand), Some(tensor)) = (operand, tensor) else { continue };
        let count = tiles(op, operand, tensor, terms);
        ensure(count <= limits::MAX_STEP_TILES, rule, || {
            format!("a step opens {count} tiles of operand {name}; lower the split")
        })?;
        let runs = if step(operand) >= TILE { count } else { runs };
        bytes += OPENED * count + NODE * nodes(count, runs, tensor.depth().into());
    }
    ensure(bytes <= limits::MAX_STEP_BYTES, rule, || {
        format!("a step opens {bytes} bytes of tiles and proofs; lower the split")
    })
}

/// Bytes from one term of a row to the next.
fn step(operand: &Operand) -> u64 {
    u64::from(operand.map.red[2]) * operand.dtype.bytes() as u64
}

/// The most tiles of an operand that `terms` neighbouring terms touch.
fn tiles(op: &Operator, operand: &Operand, tensor: TensorType, terms: u64) -> u64 {
    let in_row = u64::from(op.red[2]).min(terms);
    let step = step(operand);
    let per_row = if step >= TILE { in_row } else { (in_row - 1) * step / TILE + 2 };
    tensor.tiles().min(rows(op, terms).saturating_mul(per_row))
}

/// The most rows, runs over the innermost reduction, that `terms` neighbouring terms touch.
fn rows(op: &Operator, terms: u64) -> u64 {
    let row = u64::from(op.red[2]);
    let rows = u64::from(op.red[0]) * u64::from(op.red[1]);
    if row >= op.terms() { 1 } else { rows.min(terms.div_ceil(row) + 1) }
}

/// The most nodes that prove `tiles` leaves, in `runs` of neighbours, of a tensor's tree of this depth.
///
/// Level by level every node on a path whose sibling is on none takes one, and at the bottom every leaf that is missing of four.
/// With o(j) nodes of level j on paths, counted from the root, that is 2 + o(1) + … + o(depth - 3) + 3 o(depth - 2) - tiles;
/// o(j) is at most 2^j, and at most `tiles`. No more are needed than there are other leaves. A run takes two nodes a level,
/// and six at the bottom.
fn nodes(tiles: u64, runs: u64, depth: u64) -> u64 {
    // A tree of `depth` levels has as many leaves.
    let filled = u64::from(tiles.ilog2());
    let spread = (2 << filled) + tiles * (depth - filled) - tiles;
    spread.min((1 << depth) - tiles).min(2 * (depth + 1) * runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition: the nodes off every path whose parents are on one.
    fn counted(leaves: &[u64], depth: u64) -> u64 {
        if depth == 0 {
            return 0;
        }
        let mut on: Vec<u64> = leaves.iter().map(|leaf| leaf / 4).collect();
        on.dedup();
        let mut count = (on.len() * 4 - leaves.len()) as u64;
        for _ in 2..depth {
            count += on.iter().filter(|node| !on.contains(&(**node ^ 1))).count() as u64;
            on = on.iter().map(|node| node / 2).collect();
            on.dedup();
        }
        count
    }

    #[test]
    fn no_choice_of_leaves_takes_more_nodes_and_one_takes_as_many() {
        for depth in [0, 2, 3, 4u64] {
            let mut most = vec![0; (1 << depth) + 1];
            for chosen in 1u64..1 << (1 << depth) {
                let leaves: Vec<u64> = (0..1 << depth).filter(|leaf| chosen >> leaf & 1 == 1).collect();
                let runs =
                    leaves.iter().filter(|leaf| **leaf == 0 || chosen >> (**leaf - 1) & 1 == 0).count();
                let (count, tiles) = (counted(&leaves, depth), leaves.len() as u64);
                let bound = nodes(tiles, runs as u64, depth);
                assert!(count <= bound, "{chosen:b} in depth {depth}: {count} > {bound}");
                most[leaves.len()] = count.max(most[leaves.len()]);
            }
            for tiles in 1..=1u64 << depth {
                assert_eq!(most[tiles as usize], nodes(tiles, tiles, depth), "{tiles} in depth {depth}");
            }
        }
    }

    #[test]
    fn more_tiles_take_more_bytes() {
        for depth in (0..=24u64).filter(|depth| *depth != 1) {
            let bytes = |tiles: u64| OPENED * tiles + NODE * nodes(tiles, tiles, depth);
            let most = limits::MAX_STEP_TILES.min(1 << depth);
            assert!((1..most).all(|tiles| bytes(tiles) < bytes(tiles + 1)), "depth {depth}");
        }
    }
}
