//! How the terms of a float product are cut so that every partial sum is an exact integer.
//!
//! Products of integer-valued f32 tensors are exact in any order of summation, with or without fused multiply-add,
//! while the sum of |x * w| over a chunk stays at or below 2^24. |x| <= 128 always; |w| is what the weights are, or
//! 128 where they are not known.

use std::ops::Range;

use burn::tensor::Tensor;

use super::EngineError;

/// The greatest magnitude of a digit.
const DIGIT: f64 = 128.0;
/// The greatest sum of magnitudes that f32 holds exactly.
const EXACT: f64 = (1 << 24) as f64;
/// Chunks are cut at multiples of this, for the matrix kernels' sake.
const GRAIN: usize = 64;
/// The longest chunk whose magnitudes can be summed exactly: more digits of 128 pass 2^24.
const SUMMABLE: usize = 1 << 17;

/// Chunks of `terms` terms for any two operands.
pub(crate) fn by_type(terms: usize) -> Vec<Range<usize>> {
    let chunks = cut(0..terms, &mut |chunk| Ok(chunk.len() as f64 * DIGIT * DIGIT));
    chunks.unwrap_or_else(|e: EngineError| unreachable!("a bound by type reads no tensor: {e}"))
}

/// Chunks for these weights, a tensor of digits [matrices, terms, columns].
pub(crate) fn by_weight(weights: &Tensor<3>) -> Result<Vec<Range<usize>>, EngineError> {
    let [matrices, terms, columns] = weights.dims();
    let magnitudes = weights.clone().abs();
    let mut bound = |chunk: &Range<usize>| {
        if chunk.len() > SUMMABLE {
            return Ok(f64::INFINITY);
        }
        // Each sum of magnitudes is exact below 2^24, and cannot round to less than 2^17 from above.
        let sums = magnitudes.clone().slice([0..matrices, chunk.clone(), 0..columns]).sum_dim(1);
        let greatest = sums.max().try_into_scalar::<f32>().map_err(|e| EngineError::Device(e.to_string()))?;
        Ok(f64::from(greatest) * DIGIT)
    };
    cut(0..terms, &mut bound)
}

type Bound<'a> = dyn FnMut(&Range<usize>) -> Result<f64, EngineError> + 'a;

/// Halves until every chunk is exact.
fn cut(whole: Range<usize>, bound: &mut Bound<'_>) -> Result<Vec<Range<usize>>, EngineError> {
    let mut open = vec![whole.clone()];
    let mut chunks: Vec<Range<usize>> = Vec::new();
    while let Some(chunk) = open.pop() {
        let sum = bound(&chunk)?;
        if sum <= EXACT {
            chunks.push(chunk);
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
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_by_type_reach_the_bound_and_not_beyond() {
        assert_eq!(by_type(1), vec![0..1]);
        assert_eq!(by_type(1024), vec![0..1024]);
        assert_eq!(by_type(1025), vec![0..512, 512..1025]);
        let chunks = by_type(1 << 24);
        assert!(chunks.iter().all(|c| c.len() <= 1024) && chunks.len() == 1 << 14);
    }
}
