//! How many terms a segment of a fold has: as many as asked for, unless a step would open too much.

use narrows_program::{Operator, Source, TensorType, limits, step_fits};

/// The greatest legal split up to `most` (SPEC 5, rule witness).
pub(super) fn split(op: &Operator, most: u32, tensor: impl Fn(Source) -> TensorType) -> u32 {
    let (a, b) = (tensor(op.a.source), op.b.map(|b| tensor(b.source)));
    let fits = |terms: u64| step_fits(op, a, b, terms);
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
