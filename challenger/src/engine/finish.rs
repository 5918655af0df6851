//! Requantisation (SPEC 2.3), in 64-bit integers: legality keeps every intermediate below 2^62.

use burn::tensor::Device;
use narrows_program::{Operator, record};

use super::ints::{Ints, axis, ints};
use super::region::Region;

/// The records of a region, ready for its accumulators.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    multiplier: Ints<4>,
    /// bias * multiplier + 2^(shift-1).
    offset: Ints<4>,
    shift: Ints<4>,
    /// The region's shape, with neighbouring axes merged where records do not tell them apart.
    shape: [usize; 4],
    lo: i64,
    hi: i64,
}

impl Finish {
    /// Picks the records that a region's elements use.
    pub fn new(op: &Operator, records: &[u8], region: &Region, device: &Device) -> Self {
        let live = |axis: usize| op.params.out[axis] != 0 && region.len[axis] > 1;
        let sum = |at: [u64; 4]| (0..4).map(|a| u64::from(op.params.out[a]) * at[a]).sum::<u64>() as usize;
        let (first, last) = (sum(region.start), sum(region.len.map(|len| len as u64 - 1)));
        let mut index = ints(vec![0], device);
        for a in (0..4).filter(|a| live(*a)) {
            let [count] = index.dims();
            let steps = axis(region.len[a], i64::from(op.params.out[a]), device);
            index = (index.reshape([count, 1]) + steps.reshape([1, region.len[a]]))
                .reshape([count * region.len[a]]);
        }
        let mut groups: Vec<(bool, usize)> = Vec::with_capacity(4);
        for a in (0..4).filter(|a| region.len[*a] > 1) {
            match groups.last_mut() {
                Some((live_group, len)) if *live_group == live(a) => *len *= region.len[a],
                _ => groups.push((live(a), region.len[a])),
            }
        }
        groups.splice(0..0, vec![(false, 1); 4 - groups.len()]);
        let shape = std::array::from_fn(|g| groups[g].1);
        let one_each = std::array::from_fn::<_, 4, _>(|g| if groups[g].0 { groups[g].1 } else { 1 });
        let (records, _) = records.as_chunks::<16>();
        let records = &records[first..=first + last];
        let column = |read: fn((i64, u32, u8)) -> i64| {
            let values = records.iter().map(|r| read(record::decode(r).expect("a legal record"))).collect();
            ints(values, device).select(0, index.clone()).reshape(one_each)
        };
        Self {
            multiplier: column(|(_, m, _)| i64::from(m)),
            offset: column(|(bias, m, s)| bias * i64::from(m) + (1 << (s - 1))),
            shift: column(|(_, _, s)| i64::from(s)),
            shape,
            lo: i64::from(op.lo),
            hi: i64::from(op.hi),
        }
    }

    /// The outputs of these accumulators, in the region's row-major order.
    pub fn run(&self, accumulators: Ints<4>) -> Ints<1> {
        let scaled = accumulators.reshape(self.shape) * self.multiplier.clone() + self.offset.clone();
        let outputs = scaled.bitwise_right_shift(self.shift.clone()).clamp(self.lo, self.hi);
        outputs.reshape([self.shape.iter().product::<usize>()])
    }
}
