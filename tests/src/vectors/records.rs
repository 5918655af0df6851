//! The recipe's requantisation records (SPEC 7.4).

use narrows_program::record;

use super::draw::Draw;

const BOUND: u128 = 1 << 62;

/// What records must hold: values up to `reach`, that go to outputs of `target` bits.
pub(super) struct Demand {
    pub reach: u128,
    pub target: i64,
    /// Of a root, the greatest bias, which counts beneath it.
    pub beneath: Option<u128>,
}

/// How many records an operator has, and their steps.
pub(super) fn layout(draw: &mut Draw, out: [u32; 4]) -> ([u32; 4], u32) {
    let (mut steps, mut count) = ([0; 4], 1);
    for axis in (0..4).rev() {
        if draw.below(2) == 1 {
            steps[axis] = count;
            count *= out[axis];
        }
    }
    (steps, count)
}

/// The canonical bytes of so many records.
pub(super) fn records(draw: &mut Draw, demand: &Demand, count: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        let (mut bias, m, s) = one(draw, demand);
        if let Some(beneath) = demand.beneath {
            let magnitude = draw.below(beneath as u64 + 1) as i64;
            bias = signed(draw, magnitude);
        }
        bytes.extend(record::encode(bias, m, s));
    }
    bytes
}

fn one(draw: &mut Draw, demand: &Demand) -> (i64, u32, u8) {
    let x = demand.reach;
    match draw.below(8) {
        0 => (0, 2, 1),
        1 => {
            let s = 1 + draw.small(62) as u8;
            (0, most(s, x), s)
        }
        2 => {
            let bias = draw.below(5) as i64 - 2;
            (bias, 1, 1 + draw.small(2) as u8)
        }
        3 => {
            let s = draw.pick(&[1, 16, 62]);
            let m = 1 + draw.small(most(s, x));
            let room = (BOUND - 1 - (1 << (s - 1))) / u128::from(m);
            (signed(draw, (room - x) as i64), m, s)
        }
        _ => {
            let m = 1 + draw.small(most(61, 2 * x));
            let length = i64::from((x * u128::from(m)).ilog2()) + 1;
            let s = (length - demand.target - draw.below(12) as i64).clamp(1, 61) as u8;
            let magnitude = draw.below(x as u64 + 1);
            let magnitude = magnitude >> draw.below(64);
            (signed(draw, magnitude as i64), m, s)
        }
    }
}

fn signed(draw: &mut Draw, magnitude: i64) -> i64 {
    if draw.below(2) == 1 { -magnitude } else { magnitude }
}

/// M(s, y): the greatest multiplier that values up to y allow.
fn most(s: u8, y: u128) -> u32 {
    ((BOUND - 1 - (1 << (s - 1))) / y).clamp(1, u32::MAX.into()) as u32
}
