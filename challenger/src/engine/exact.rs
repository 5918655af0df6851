//! How integers go through float products without a rounding.
//!
//! A float product of integers is exact in any order of summation, with or without fused multiply-add, while the sum
//! of |x * w| is at most 2^24 in f32 and 2^53 in f64. Integers too wide for that are cut into balanced digits, and each
//! pair of digits is a product of its own. How many digits that takes follows from the ranges that legality proves.

use burn::tensor::FloatDType;

use super::range::Range;

/// A float type that carries integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// 24 bits.
    F32,
    /// 53 bits.
    F64,
}

impl Carrier {
    /// The greatest sum of magnitudes that is exact.
    pub const fn exact(self) -> u64 {
        match self {
            Self::F32 => 1 << 24,
            Self::F64 => 1 << 53,
        }
    }

    /// The greatest operand. In f32 it is one that even a device which shortens operands to 8 bits would keep whole.
    pub const fn widest(self) -> u64 {
        match self {
            Self::F32 => 1 << 8,
            Self::F64 => 1 << 52,
        }
    }

    /// What a product costs, as measured on CPUs: one in f64 takes as long as two in f32, and longer where its operands, twice
    /// as large, leave the caches, a sixth in all.
    const fn cost(self) -> u128 {
        match self {
            Self::F32 => 4,
            Self::F64 => 9,
        }
    }

    /// Its size in words of 32 bits.
    pub const fn words(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::F64 => 2,
        }
    }

    /// The type's name in burn.
    pub const fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F64 => FloatDType::F64,
        }
    }
}

/// How the integers of one operand are cut: `x = sum_i digit_i * 2^(width i)`, all digits but the last at most 2^(width-1) in
/// magnitude, the last what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    /// Number of digits.
    pub count: usize,
    /// Bits of a digit; 0 when there is only one.
    pub width: u32,
    /// The greatest magnitude of a digit.
    greatest: u64,
    /// The greatest sum over digits of |digit_i| * 2^(width i).
    total: u128,
}

/// Most digits of an operand: four of 8 bits hold an i32.
const MAX_DIGITS: usize = 4;
/// What adding up one more chunk costs, in terms.
const CHUNK_COST: u128 = 32;
/// What each pair of digits but one costs beside its product, in the unit of [`Carrier::cost`]: cutting, scaling, adding up.
const PAIR_COST: u128 = 2048;
/// Sums of products of digits stay below this.
const WHOLE: u128 = 1 << 63;

impl Digits {
    /// Cuts integers up to `magnitude` into `count` digits of the fewest bits.
    pub fn new(magnitude: u64, count: usize) -> Self {
        if count == 1 {
            return Self { count, width: 0, greatest: magnitude, total: magnitude.into() };
        }
        let last = |width: u32| (1..count).fold(magnitude, |rest, _| (rest + (1 << (width - 1))) >> width);
        let width = (1..=40).find(|width| last(*width) <= 1 << (width - 1));
        let width = width.expect("an integer of 32 bits has digits of fewer");
        let low = 1u128 << (width - 1);
        let lows: u128 = (0..count as u32 - 1).map(|i| low << (width * i)).sum();
        let total = lows + (u128::from(last(width)) << (width * (count as u32 - 1)));
        Self { count, width, greatest: 1 << (width - 1), total }
    }

    /// The greatest sum over digits of |digit_i| * 2^(width i).
    pub fn total(&self) -> u128 {
        self.total
    }

    /// What digit `i` is multiplied with.
    pub fn weight(&self, i: usize) -> i64 {
        1 << (self.width * i as u32)
    }
}

/// How a dot product is computed in floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The float type.
    pub carrier: Carrier,
    /// Digits of operand a.
    pub a: Digits,
    /// Digits of operand b.
    pub b: Digits,
}

impl Scheme {
    /// The cheapest exact scheme for folds of `terms` terms; `None` when none keeps every sum within 64 bits, which is so
    /// only where the sum itself may pass 2^62.
    pub fn cheapest(terms: u64, a: Range, b: Range, carriers: &[Carrier]) -> Option<Self> {
        let counts = || 1..=MAX_DIGITS;
        let all = carriers.iter().flat_map(|c| counts().flat_map(move |i| counts().map(move |j| (*c, i, j))));
        let schemes = all.filter_map(|(carrier, i, j)| {
            let scheme = Self { carrier, a: Digits::new(a.magnitude(), i), b: Digits::new(b.magnitude(), j) };
            Some((scheme.cost(terms)?, scheme))
        });
        schemes.min_by_key(|(cost, _)| *cost).map(|(_, scheme)| scheme)
    }

    fn cost(&self, terms: u64) -> Option<u128> {
        let (carrier, terms) = (self.carrier, u128::from(terms));
        let narrow = self.a.greatest.max(self.b.greatest) <= carrier.widest();
        let exact = u128::from(carrier.exact());
        let whole = terms.checked_mul(self.a.total)?.checked_mul(self.b.total)?;
        if !narrow || self.product() > exact || whole >= WHOLE {
            return None;
        }
        let chunks = terms.div_ceil(exact / self.product().max(1));
        let pairs = self.pairs() as u128;
        Some(pairs * carrier.cost() * (terms + CHUNK_COST * chunks) + (pairs - 1) * PAIR_COST)
    }

    /// Pairs of digits, each a product of its own.
    pub fn pairs(&self) -> usize {
        self.a.count * self.b.count
    }

    /// The greatest magnitude of a product of two digits.
    pub fn product(&self) -> u128 {
        u128::from(self.a.greatest) * u128::from(self.b.greatest)
    }

    /// The greatest magnitude of a digit of operand a.
    pub fn greatest_a(&self) -> u128 {
        self.a.greatest.into()
    }

    /// The longest chunk in which magnitudes of digits of operand b can be summed exactly.
    pub fn summable(&self) -> u64 {
        self.carrier.exact() / self.b.greatest.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use narrows_program::DType;

    const BOTH: [Carrier; 2] = [Carrier::F32, Carrier::F64];

    fn cheapest(terms: u64, a: DType, b: DType, carriers: &[Carrier]) -> Option<(Carrier, usize, usize)> {
        let scheme = Scheme::cheapest(terms, Range::of_type(a), Range::of_type(b), carriers)?;
        Some((scheme.carrier, scheme.a.count, scheme.b.count))
    }

    #[test]
    fn digits_of_the_types_are_as_wide_as_they_must_be_and_no_wider() {
        let of = |magnitude, count| {
            let digits = Digits::new(magnitude, count);
            (digits.width, digits.greatest)
        };
        assert_eq!(of(128, 1), (0, 128));
        assert_eq!(of(1 << 15, 2), (8, 128));
        assert_eq!(of(1 << 31, 4), (8, 128));
        assert_eq!(of(1 << 31, 2), (16, 1 << 15));
        // 7 bits leave at most 64 for the last digit up to 64 * 128 + 63.
        assert_eq!(of(64 * 128 + 63, 2), (7, 64));
        assert_eq!(of(64 * 128 + 64, 2), (8, 128));
    }

    #[test]
    fn every_value_is_within_what_its_digits_may_be() {
        for magnitude in [1u64, 100, 127, 128, 129, 4095, 8255, 8256, 1 << 15, (1 << 26) + 5] {
            for count in 1..=MAX_DIGITS {
                let digits = Digits::new(magnitude, count);
                let top = magnitude as i64;
                for value in (-top..=top).step_by(1 + magnitude as usize / 999).chain([top, top - 1, -top]) {
                    let (mut rest, mut total) = (i128::from(value), 0);
                    for i in 0..count {
                        let half = if digits.width == 0 { 0 } else { 1 << (digits.width - 1) };
                        let digit = if i + 1 == count {
                            rest
                        } else {
                            (rest + half).rem_euclid(1 << digits.width) - half
                        };
                        assert!(digit.unsigned_abs() <= digits.greatest.into(), "{value} {digits:?}");
                        rest = (rest - digit) >> digits.width;
                        total += digit.abs() * i128::from(digits.weight(i));
                    }
                    assert!(total as u128 <= digits.total, "{value} {digits:?}");
                }
            }
        }
    }

    #[test]
    fn narrow_operands_take_single_floats_and_wide_ones_double() {
        use Carrier::{F32, F64};
        use DType::{I8, I16, I32};
        assert_eq!(cheapest(300, I8, I8, &BOTH), Some((F32, 1, 1)));
        assert_eq!(cheapest(60, I16, I8, &BOTH), Some((F64, 1, 1)));
        assert_eq!(cheapest(300, I16, I8, &BOTH), Some((F64, 1, 1)));
        assert_eq!(cheapest(3000, I16, I8, &BOTH), Some((F32, 2, 1)));
        assert_eq!(cheapest(300, I16, I8, &[F32]), Some((F32, 2, 1)));
        assert_eq!(cheapest(300, I16, I16, &BOTH), Some((F64, 1, 1)));
        assert_eq!(cheapest(300, I16, I16, &[F32]), Some((F32, 2, 2)));
        assert_eq!(cheapest(300, I8, I8, &[F64]), Some((F64, 1, 1)));
        assert_eq!(cheapest(300, I32, I8, &BOTH), Some((F64, 1, 1)));
        assert_eq!(cheapest(1, I32, I16, &[F32]), Some((F32, 4, 2)));
    }

    #[test]
    fn every_legal_product_has_a_scheme_on_every_kind_of_device() {
        let magnitudes = (0..=31).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        let magnitudes: Vec<u64> = magnitudes.filter(|m| (1..=1 << 31).contains(m)).collect();
        let range = |m: u64| Range { least: -(m as i64), greatest: 0 };
        for (a, b) in magnitudes.iter().flat_map(|a| magnitudes.iter().map(move |b| (*a, *b))) {
            let most = ((1u64 << 62) - 1) / a / b;
            for terms in [1, most.min(1 << 24)].into_iter().filter(|terms| *terms <= most) {
                for carriers in [&BOTH[..], &BOTH[..1], &BOTH[1..]] {
                    let scheme = Scheme::cheapest(terms, range(a), range(b), carriers);
                    assert!(scheme.is_some_and(|s| carriers.contains(&s.carrier)), "{terms} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_sum_that_may_pass_64_bits_has_no_scheme() {
        // 2^31 * 2^31 * 2, which no legal program reaches.
        assert_eq!(cheapest(2, DType::I32, DType::I32, &BOTH), None);
        assert_eq!(cheapest(1 << 24, DType::I16, DType::I32, &BOTH), None);
    }

    #[test]
    fn a_softmaxs_numerators_and_a_norms_values_take_fewer_digits_than_their_types() {
        let range = |least, greatest| Range { least, greatest };
        let values = Range::of_type(DType::I16);
        let scheme = Scheme::cheapest(512, range(0, 127), values, &[Carrier::F32]).expect("a scheme");
        assert_eq!((scheme.a.count, scheme.b.count), (1, 2));
        let centred = range(-(1 << 26), 1 << 26);
        let scheme = Scheme::cheapest(384, centred, centred, &BOTH).expect("a scheme");
        assert_eq!((scheme.carrier, scheme.pairs()), (Carrier::F64, 2));
    }
}
