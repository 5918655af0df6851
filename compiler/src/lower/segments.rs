//! How many terms a segment of a fold has: as many as asked for, unless a step would open too many tiles.

use narrows_program::{Operand, Operator, Source, TensorType, limits};

/// Bytes of a tile (SPEC 3).
const TILE: u64 = 128;

/// The greatest legal split up to `most` (SPEC 5, rule witness). Legality itself is checked when
/// the program is made; here the split is only chosen.
pub(super) fn split(op: &Operator, most: u32, tensor: impl Fn(Source) -> TensorType) -> u32 {
    let fits = |terms: u64| {
        let few = rows(op, terms) <= limits::MAX_STEP_ROWS;
        let mut operands = std::iter::once(&op.a).chain(&op.b);
        few && operands
            .all(|operand| tiles(op, operand, tensor(operand.source), terms) <= limits::MAX_STEP_TILES)
    };
    let most = u64::from(most.clamp(1, limits::MAX_SPLIT));
    // More segments than allowed are avoided before the wish is kept.
    let least = op.terms().div_ceil(limits::MAX_SEGMENTS);
    let wish = most.max(least).min(u64::from(limits::MAX_SPLIT));
    if fits(op.terms().min(wish)) {
        return wish as u32;
    }
    let (mut good, mut bad) = (1, wish.min(op.terms()));
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) { good = middle } else { bad = middle }
    }
    good as u32
}

/// The most tiles of an operand that `terms` neighbouring terms touch.
fn tiles(op: &Operator, operand: &Operand, tensor: TensorType, terms: u64) -> u64 {
    let in_row = u64::from(op.red[2]).min(terms);
    let step = u64::from(operand.map.red[2]) * operand.dtype.bytes() as u64;
    let per_row = if step >= TILE { in_row } else { (in_row - 1) * step / TILE + 2 };
    tensor.tiles().min(rows(op, terms).saturating_mul(per_row))
}

/// The most runs over the innermost reduction that they touch.
fn rows(op: &Operator, terms: u64) -> u64 {
    let row = u64::from(op.red[2]);
    let all = u64::from(op.red[0]) * u64::from(op.red[1]);
    if row >= op.terms() { 1 } else { all.min(terms.div_ceil(row) + 1) }
}
