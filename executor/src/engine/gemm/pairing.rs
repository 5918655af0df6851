//! Which groups of a panel can be summed two by two in 16 bits.
//!
//! A kernel that multiplies 8 bits, 0 to 127, by 8 bits with signs adds the products of two terms in 16 bits. Two groups' sums
//! may be added there, too, before they are widened, if no column's half of both, four weights, can leave 16 bits: those above
//! 0 must not sum to more than 258, nor those below, for 127 * 258 = 32,766.

use crate::engine::arch::GroupOrder;

/// The most that weights of one sign may sum to in a half of two groups.
const MOST: i32 = (i16::MAX / i8::MAX as i16) as i32;

/// Brings the groups of a pass, each `size` bytes of `data`, into an order in which those that go two by two come first;
/// `offsets` say where each group's terms stand in a row of a.
pub(super) fn paired(data: &mut [u8], size: usize, offsets: &[u32]) -> GroupOrder {
    let group = |index: usize| &data[index * size..][..size];
    let (mut together, mut alone, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let mut pass = |from: &mut dyn Iterator<Item = usize>, rest: &mut Vec<usize>| {
        let mut first: Option<usize> = None;
        for second in from {
            match first.take() {
                Some(first) if fit(group(first), group(second)) => together.extend([first, second]),
                other => {
                    rest.extend(other);
                    first = Some(second);
                }
            }
        }
        rest.extend(first);
    };
    pass(&mut (0..offsets.len()), &mut left);
    // Neighbours that do not fit each other may fit others.
    pass(&mut left.iter().copied(), &mut alone);
    let pairs = together.len() / 2;
    together.extend(alone);
    let moved: Vec<u8> = together.iter().flat_map(|index| group(*index)).copied().collect();
    data[..moved.len()].copy_from_slice(&moved);
    GroupOrder::new(together.iter().map(|index| offsets[*index]).collect(), pairs)
}

/// Whether two groups' products, of a from 0 to 127, can be added in 16 bits.
fn fit(first: &[u8], second: &[u8]) -> bool {
    let halves = first.as_chunks::<2>().0.iter().zip(second.as_chunks::<2>().0);
    halves.into_iter().all(|(a, b)| {
        let weights = [a[0], a[1], b[0], b[1]].map(|weight| i32::from(weight.cast_signed()));
        let above: i32 = weights.iter().map(|weight| weight.max(&0)).sum();
        let below: i32 = weights.iter().map(|weight| weight.min(&0)).sum();
        above <= MOST && -below <= MOST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of one column.
    fn order(groups: &[[i8; 4]]) -> (Vec<[i8; 4]>, GroupOrder) {
        let mut data: Vec<u8> = groups.as_flattened().iter().map(|weight| weight.cast_unsigned()).collect();
        let offsets: Vec<u32> = (0..groups.len() as u32).map(|index| 4 * index).collect();
        let order = paired(&mut data, 4, &offsets);
        let groups = data.as_chunks::<4>().0.iter().map(|group| group.map(u8::cast_signed)).collect();
        (groups, order)
    }

    #[test]
    fn what_reaches_the_last_16_bits_goes_together_and_what_passes_them_does_not() {
        for (sign, beyond) in [(1i8, [127, 127, 5, 0]), (-1, [-128, -127, -4, 0])] {
            let [a, b, ..] = beyond;
            let last = [[a, b, 1, 1], [if sign > 0 { 4 } else { -3 }, 0, 1, 1]];
            assert_eq!(order(&last).1, GroupOrder::new(vec![0, 4], 1), "{last:?}");
            let beyond = [[a, b, 1, 1], [beyond[2], 0, 1, 1]];
            assert_eq!(order(&beyond).1, GroupOrder::new(vec![0, 4], 0), "{beyond:?}");
        }
        // Signs do not make up for each other: a may be 0 where weights have one of them.
        assert_eq!(order(&[[127, -127, 0, 0], [127, -127, 0, 0]]).1, GroupOrder::new(vec![0, 4], 1));
        assert_eq!(order(&[[127, -128, 0, 0], [127, -128, 9, 9]]).1, GroupOrder::new(vec![0, 4], 1));
        assert_eq!(order(&[[127, 5, -128, 0], [127, -128, 0, 0]]).1, GroupOrder::new(vec![0, 4], 0));
    }

    #[test]
    fn neighbours_that_do_not_fit_are_paired_with_others_and_every_group_stays() {
        let (large, small) = ([127, 127, 0, 0], [1, 2, 3, 4]);
        let groups = [large, large, small, large, large, small, large];
        let (moved, order) = order(&groups);
        assert_eq!(order, GroupOrder::new(vec![4, 8, 16, 20, 0, 12, 24], 2));
        assert_eq!(moved, [large, small, large, small, large, large, large]);
        let (moved, order) = super::tests::order(&[large, large, large]);
        assert_eq!((moved, order), (vec![large; 3], GroupOrder::new(vec![0, 4, 8], 0)));
        assert_eq!(super::tests::order(&[]).1, GroupOrder::new(vec![], 0));
    }
}
