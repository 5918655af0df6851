//! How a token is chosen, in integers that are part of the trace.
//!
//! The greedy sampler takes the greatest logit. The seeded one adds Gumbel noise first, which makes the greatest score a
//! draw from the softmax of the logits: argmax(x_v + g_v) with g = -ln(-ln u) is v with probability
//! exp(x_v) / sum exp(x) (the Gumbel-max identity). The noise comes from two 16-bit halves of a seed by fixed
//! permutations, so it is the same on every machine, and whoever knows the seed can check it.

use std::sync::OnceLock;

use narrows_commitment::keccak;

/// How a token is chosen from its logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    /// The greatest logit, the first of equals.
    Greedy,
    /// A draw from the softmax of the logits divided by a temperature. The input then ends with a seed in two halves of 16 bits.
    Seeded {
        /// The temperature, above 0.
        temperature: f32,
    },
}

/// The operator that unrolling adds for noise: of the seed and of scores, which give the shape.
pub(crate) const NOISE: &str = "narrows.Noise";

/// Values of a half of the seed, and of the state between.
pub(crate) const STATES: usize = 1 << 16;
/// The real value of one step of noise: the greatest noise, -ln(-ln(1 - 2^-17)), is below 12, and the least above -2.5.
pub(crate) const NOISE_STEP: f64 = 1.0 / 2048.0;
/// Its binary exponent.
pub(crate) const NOISE_EXPONENT: i32 = -11;

impl Sampler {
    /// Elements of the input behind the prompt.
    #[must_use]
    pub fn seed_elements(self) -> usize {
        match self {
            Self::Greedy => 0,
            Self::Seeded { .. } => 2,
        }
    }
}

/// A fixed permutation of 0 … 2^16 - 1, by sorting on keccak digests.
pub(crate) fn permutation(which: u8) -> Vec<u16> {
    let mut order: Vec<([u8; 32], u16)> = (0..=u16::MAX)
        .map(|value| (keccak(&[&[which], &b"narrows noise"[..], &value.to_be_bytes()].concat()).0, value))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, value)| value).collect()
}

/// The noise of each state, in steps of [`NOISE_STEP`]: the Gumbel quantile of (state + 1/2) / 2^16, permuted.
pub(crate) fn noise_table() -> Vec<i16> {
    let quantile = |state: u16| {
        let u = (f64::from(state) + 0.5) / STATES as f64;
        (-(-u.ln()).ln() / NOISE_STEP).round() as i16
    };
    permutation(2).into_iter().map(quantile).collect()
}

/// What position `step` and token `token` add to the state, modulo 2^16: odd multiples spread neighbours.
pub(crate) fn turn(step: usize, token: usize) -> (u16, u16) {
    ((step as u64).wrapping_mul(40_503) as u16, (token as u64).wrapping_mul(25_173) as u16)
}

/// Noise of `tokens` scores at a position as real numbers, from a seed's halves as real numbers.
pub(crate) fn real_noise(seed: [f32; 2], step: usize, tokens: usize) -> Vec<f32> {
    static TABLES: OnceLock<(Vec<u16>, Vec<i16>)> = OnceLock::new();
    let (mix, table) = TABLES.get_or_init(|| (permutation(1), noise_table()));
    // A cast from a float clamps.
    let steps = noise((mix, table), seed.map(|half| half as u16), step, tokens);
    steps.into_iter().map(|steps| (f64::from(steps) * NOISE_STEP) as f32).collect()
}

/// Noise of `tokens` scores at a position, in steps: the definition that the lowering follows.
pub(crate) fn noise(tables: (&[u16], &[i16]), seed: [u16; 2], step: usize, tokens: usize) -> Vec<i16> {
    let (mix, noise) = tables;
    let at = |state: u16| mix[usize::from(state)];
    let state = at(at(seed[0].wrapping_add(turn(step, 0).0)).wrapping_add(seed[1]));
    (0..tokens).map(|token| noise[usize::from(state.wrapping_add(turn(0, token).1))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_whole_and_differ() {
        let (first, second) = (permutation(1), permutation(2));
        assert_ne!(first, second);
        for mut order in [first, second] {
            order.sort_unstable();
            assert!(order.iter().enumerate().all(|(index, value)| index == usize::from(*value)));
        }
    }

    #[test]
    fn noise_is_gumbel_and_fits() {
        let table = noise_table();
        let reals: Vec<f64> = table.iter().map(|steps| f64::from(*steps) * NOISE_STEP).collect();
        let mean = reals.iter().sum::<f64>() / reals.len() as f64;
        // Euler's constant, and pi^2 / 6.
        assert!((mean - 0.577_215_66).abs() < 1e-3, "{mean}");
        let variance = reals.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / reals.len() as f64;
        assert!((variance - 1.644_934).abs() < 5e-3, "{variance}");
        let (least, greatest) = (table.iter().min(), table.iter().max());
        assert!(least > Some(&-5_120) && greatest < Some(&24_576), "{least:?} {greatest:?}");
    }

    #[test]
    fn draws_follow_the_softmax() {
        let (mix, table) = (permutation(1), noise_table());
        let logits = [0.0f64, 1.0, 2.0];
        let weights: f64 = logits.iter().map(|x| x.exp()).sum();
        let mut counts = [0u32; 3];
        let draws = 20_000u32;
        for seed in 0..draws {
            let noise = noise((&mix, &table), [seed as u16, (seed >> 3) as u16 ^ 0x5a5a], 5, 3);
            let score = |v: usize| logits[v] + f64::from(noise[v]) * NOISE_STEP;
            counts[(0..3).max_by(|a, b| score(*a).total_cmp(&score(*b))).expect("three")] += 1;
        }
        for (count, logit) in counts.iter().zip(logits) {
            let (share, expected) = (f64::from(*count) / f64::from(draws), logit.exp() / weights);
            assert!((share - expected).abs() < 0.02, "{counts:?}");
        }
    }
}
