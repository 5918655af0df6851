//! How the terms of a float product are cut so that every partial sum is an exact integer ([`super::exact`]).
//!
//! The magnitudes of operand a's digits are bounded by their range; those of operand b are what the weights are, or
//! bounded likewise where the weights are not known.

use std::ops::Range;

use burn::tensor::Tensor;

use super::EngineError;
use super::exact::{Carrier, Scheme};

/// Chunks are cut at multiples of this, for the matrix kernels' sake.
const GRAIN: usize = 64;

/// Chunks of `terms` terms for any two operands within the scheme's ranges.
pub(crate) fn by_range(terms: usize, scheme: &Scheme) -> Vec<Range<usize>> {
    let chunks = cut(0..terms, scheme.carrier, &mut |chunk| Ok(chunk.len() as u128 * scheme.product()));
    chunks.map(|(chunks, _)| chunks).unwrap_or_else(|e| unreachable!("a bound by range reads no tensor: {e}"))
}

/// Chunks for these weights, a tensor of digits [matrices, terms, columns], and what no sum of a column's |b| passes.
pub(crate) fn by_weight(
    weights: &Tensor<3>,
    scheme: &Scheme,
) -> Result<(Vec<Range<usize>>, u128), EngineError> {
    let [matrices, terms, columns] = weights.dims();
    let magnitudes = weights.clone().abs();
    let mut bound = |chunk: &Range<usize>| {
        if chunk.len() as u64 > scheme.summable() {
            return Ok(u128::MAX);
        }
        // Each sum of magnitudes is an exact integer, because so short a chunk cannot pass the last exact float.
        let sums = magnitudes.clone().slice([0..matrices, chunk.clone(), 0..columns]).sum_dim(1);
        let greatest = scalar(sums.max(), scheme.carrier)?;
        Ok(greatest * scheme.greatest_a())
    };
    let (chunks, sum) = cut(0..terms, scheme.carrier, &mut bound)?;
    // The sum over chunks of the greatest sums in each; of several digits, only their ranges tell what they add up to.
    let by_range = terms as u128 * scheme.b.total();
    let column = match scheme.b.count {
        1 => (sum / scheme.greatest_a().max(1)).min(by_range),
        _ => by_range,
    };
    Ok((chunks, column))
}

/// The one element of a tensor, a non-negative integer.
fn scalar(tensor: Tensor<1>, carrier: Carrier) -> Result<u128, EngineError> {
    let value = match carrier {
        Carrier::F32 => tensor.try_into_scalar::<f32>().map(f64::from),
        Carrier::F64 => tensor.try_into_scalar::<f64>(),
    };
    value.map(|value| value as u128).map_err(|e| EngineError::Device(e.to_string()))
}

type Bound<'a> = dyn FnMut(&Range<usize>) -> Result<u128, EngineError> + 'a;

/// Halves until every chunk is exact; the chunks, and the sum of their bounds.
fn cut(
    whole: Range<usize>,
    carrier: Carrier,
    bound: &mut Bound<'_>,
) -> Result<(Vec<Range<usize>>, u128), EngineError> {
    let mut open = vec![whole.clone()];
    let mut sums = 0;
    let mut chunks: Vec<Range<usize>> = Vec::new();
    while let Some(chunk) = open.pop() {
        let sum = bound(&chunk)?;
        if sum <= u128::from(carrier.exact()) {
            chunks.push(chunk);
            sums += sum;
            continue;
        }
        assert!(chunk.len() > 1, "one product of two digits is exact, not {sum}");
        let half = (chunk.len() / 2).next_multiple_of(GRAIN);
        let middle = chunk.start + if half < chunk.len() { half } else { chunk.len() / 2 };
        open.push(middle..chunk.end);
        open.push(chunk.start..middle);
    }
    let end = chunks.iter().try_fold(whole.start, |at, c| (at == c.start).then_some(c.end));
    assert_eq!(end, Some(whole.end), "chunks cover every term once");
    Ok((chunks, sums))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::range;
    use narrows_program::DType;

    fn scheme(terms: u64, dtype: DType, carrier: Carrier) -> Scheme {
        let all = range::Range::of_type(dtype);
        Scheme::cheapest(terms, all, all, &[carrier]).expect("a scheme")
    }

    #[test]
    fn chunks_by_range_reach_the_bound_and_not_beyond() {
        let i8s = scheme(1 << 24, DType::I8, Carrier::F32);
        assert_eq!(by_range(1, &i8s), vec![0..1]);
        assert_eq!(by_range(1024, &i8s), vec![0..1024]);
        assert_eq!(by_range(1025, &i8s), vec![0..512, 512..1025]);
        let chunks = by_range(1 << 24, &i8s);
        assert!(chunks.iter().all(|c| c.len() <= 1024) && chunks.len() == 1 << 14);
        // 2^23 products of 2^30 are 2^53.
        let i16s = scheme(1 << 23, DType::I16, Carrier::F64);
        assert_eq!((i16s.pairs(), by_range(1 << 23, &i16s).len()), (1, 1));
        assert_eq!(by_range((1 << 23) + 1, &i16s).len(), 2);
    }
}
