//! Floor division by a number that many elements share: a multiplication and a shift.

/// A divisor of 1 … 2^31-1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Divisor {
    /// floor(2^(63+shift) / d) + 1, which is less than 2^64.
    factor: u64,
    /// The least l with 2^l >= d.
    shift: u32,
}

impl Divisor {
    /// Divides by d, or by 1 if d is less: a legal program's divisor never is, but a doctored one may be.
    pub fn new(d: i32) -> Self {
        let d = d.max(1).cast_unsigned();
        let shift = u32::BITS - (d - 1).leading_zeros();
        let factor = (1u128 << (63 + shift)) / u128::from(d) + 1;
        Self { factor: factor as u64, shift }
    }

    /// floor(n / d), for every n.
    ///
    /// For 0 <= u < 2^63, u factor / 2^(63+l) exceeds u / d by u e / (d 2^(63+l)), where e = factor d - 2^(63+l) lies in
    /// 1 … d and so is at most 2^l: by less than 1 / d, which never reaches the next whole number. For negative n,
    /// floor(n / d) = -1 - floor((-1 - n) / d).
    #[inline(always)]
    pub fn floor(self, n: i64) -> i64 {
        let sign = n >> 63;
        let doubled = ((n ^ sign) as u64) << 1;
        let high = (u128::from(doubled) * u128::from(self.factor)) >> 64;
        (high as u64 >> self.shift).cast_signed() ^ sign
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floor(n: i64, d: i32) -> i128 {
        let (n, d) = (i128::from(n), i128::from(d));
        (n - n.rem_euclid(d)) / d
    }

    #[test]
    fn attack_27_quotients_next_to_whole_numbers() {
        let divisors = (0..31).flat_map(|bit| [(1i32 << bit) - 1, 1 << bit, (1 << bit) + 1, i32::MAX - bit]);
        for d in divisors.filter(|d| *d >= 1) {
            let divisor = Divisor::new(d);
            for whole in [0, 1, 2, i64::from(u32::MAX), i64::MAX / i64::from(d), i64::MIN / i64::from(d)] {
                for near in -2..=2 {
                    let n = (whole * i64::from(d)).saturating_add(near);
                    assert_eq!(i128::from(divisor.floor(n)), floor(n, d), "{n} / {d}");
                }
            }
            for n in [i64::MIN, i64::MAX] {
                assert_eq!(i128::from(divisor.floor(n)), floor(n, d), "{n} / {d}");
            }
        }
    }

    #[test]
    fn a_divisor_below_1_is_1() {
        assert_eq!([0, -1, i32::MIN].map(|d| Divisor::new(d).floor(-7)), [-7; 3]);
    }

    proptest! {
        #[test]
        fn any_quotient(n in any::<i64>(), d in 1..=i32::MAX, bits in 0..31u32) {
            let d = (d >> bits).max(1);
            prop_assert_eq!(i128::from(Divisor::new(d).floor(n)), floor(n, d));
        }
    }
}
