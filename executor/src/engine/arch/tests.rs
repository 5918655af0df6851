//! Every tile of this CPU's kernels, in every shape, against loops over single products and elements.

use super::*;
use crate::engine::equal_tests::Draw;

/// The kernels that have tiles, and these.
fn kernels() -> impl Iterator<Item = (Kernel, TileShape)> {
    Kernel::available().into_iter().filter_map(|kernel| Some((kernel, kernel.tile()?)))
}

/// Bytes of any value, or of the extremes of 8 and of 16 bits.
fn bytes(draw: &mut Draw, count: usize) -> Vec<u8> {
    let kind = draw.upto(3);
    (0..count)
        .map(|index| match kind {
            0 => 0x80,
            1 => [0x00, 0x80][index % 2],
            2 => draw.pick(&[0x00, 0x7F, 0x80, 0xFF]),
            _ => draw.word() as u8,
        })
        .collect()
}

/// A group's products, modulo 2^32.
fn products(wide: bool, eights: Eights, a: &[u8], b: &[u8]) -> i32 {
    let pair = |at: usize| [a, b].map(|v| i32::from(i16::from_le_bytes([v[at], v[at + 1]])));
    let eight = |at: usize| {
        let a = if eights == Eights::Unsigned { i32::from(a[at]) } else { i32::from(a[at].cast_signed()) };
        [a, i32::from(b[at].cast_signed())]
    };
    let factors = if wide { vec![pair(0), pair(2)] } else { (0..4).map(eight).collect() };
    factors.into_iter().fold(0i32, |sum, [a, b]| sum.wrapping_add(a.wrapping_mul(b)))
}

/// One product of `rows` rows, in up to three segments.
fn check_product(kernel: Kernel, shape: TileShape, wide: bool, rows: usize, draw: &mut Draw) {
    let mut a = bytes(draw, 400);
    if !wide && shape.eights == Eights::Positive {
        a.iter_mut().for_each(|a| *a = if *a == 0x80 { 0x7F } else { *a & 0x7F });
    }
    let list: Vec<Segment> = (0..1 + draw.upto(2))
        .map(|_| Segment { offset: draw.upto(100) as usize, groups: 1 + draw.upto(20) as usize })
        .collect();
    let segments = Segments::new(list);
    let mut panel = bytes(draw, segments.groups() * shape.columns * 4);
    let mut offsets: Vec<u32> = segments.offsets().map(|offset| offset as u32).collect();
    let pairs = draw.upto(segments.groups() as u64 / 2) as usize;
    if shape.eights == Eights::Positive && !wide {
        // A panel may have its groups in any order; what goes together sums to at most 258 of each sign.
        offsets.rotate_left(segments.groups() / 3);
        for weights in panel[..2 * pairs * shape.columns * 4].chunks_mut(2 * shape.columns * 4) {
            let (first, second) = weights.split_at_mut(shape.columns * 4);
            let four: [i8; 4] = draw.pick(&[
                [127, 127, 4, 0],
                [-128, -127, 0, -3],
                [64; 4],
                [-64; 4],
                [127, -128, 127, -128],
            ]);
            for (first, second) in first.chunks_mut(2).zip(second.chunks_mut(2)) {
                first.copy_from_slice(&[four[0] as u8, four[1] as u8]);
                second.copy_from_slice(&[four[2] as u8, four[3] as u8]);
            }
        }
    }
    let order = GroupOrder::new(offsets.clone(), pairs);
    let start: Vec<i32> = (0..shape.columns).map(|_| draw.word() as i32).collect();
    let places: Vec<usize> = (0..rows).map(|_| draw.upto(200) as usize).collect();
    let job = Job {
        a: &a,
        rows: &places,
        segments: &segments,
        order: &order,
        panel: &panel,
        start: &start,
        ahead: 0,
    };
    let mut out = [-7; TILE];
    kernel.multiply(wide, &job, &mut out);

    let groups: Vec<usize> = offsets.into_iter().map(|offset| offset as usize).collect();
    for (index, given) in out.into_iter().enumerate() {
        let (row, column) = (index / shape.columns, index % shape.columns);
        let Some(place) = places.get(row) else {
            assert_eq!(given, -7, "{}: row {row} of {rows} is written", kernel.name());
            continue;
        };
        let wanted = groups.iter().enumerate().fold(start[column], |sum, (group, at)| {
            let b = &panel[(group * shape.columns + column) * 4..][..4];
            sum.wrapping_add(products(wide, shape.eights, &a[place + at..][..4], b))
        });
        assert_eq!(given, wanted, "{}, wide {wide}: row {row} of {rows}, column {column}", kernel.name());
    }
}

#[test]
fn a_tile_of_any_rows_is_its_sums_of_products() {
    let mut draw = Draw(27);
    for (kernel, shape) in kernels() {
        let ways: &[bool] = if shape.eights.direct(true) { &[true, false] } else { &[true] };
        for rows in 1..=shape.rows {
            for wide in ways {
                (0..30).for_each(|_| check_product(kernel, shape, *wide, rows, &mut draw));
            }
        }
    }
}

/// A multiplier, an addend and a shift whose quotients of any accumulator fit 32 bits.
fn record(draw: &mut Draw) -> [i64; 3] {
    let shift = draw.pick(&[1, 2, 7, 30, 31, 32, 33, 45, 61, 62]);
    let most = (1 << (shift.min(32) - 1)) - 1;
    let any = draw.upto(most) as i64;
    let multiplier = draw.pick(&[1, most as i64, any]);
    let addend = draw.upto(1 << (shift + 28).min(60)) as i64;
    [multiplier, if draw.upto(1) == 0 { addend } else { -addend }, shift]
}

/// Requantises a tile whose output has `count` columns of `width` bytes.
fn check_finish(
    kernel: Kernel,
    shape: TileShape,
    (rows, count, width): (usize, usize, usize),
    two: bool,
    draw: &mut Draw,
) {
    let acc: [i32; TILE] = std::array::from_fn(|_| match draw.upto(7) {
        0 => i32::MIN,
        1 => i32::MAX,
        _ => (draw.word() as i32) >> draw.upto(31),
    });
    // Of two passes, the sum of both is what fits.
    let high: Option<[i32; TILE]> =
        two.then(|| std::array::from_fn(|index| acc[index].wrapping_neg() >> draw.upto(31).max(9)));
    let records: Vec<[i64; 3]> = (0..shape.columns).map(|_| record(draw)).collect();
    let mut table = vec![0; 3 * shape.columns];
    for (column, record) in records.iter().enumerate() {
        let (vector, lane) = (column / shape.lanes, column % shape.lanes);
        for (part, entry) in record.iter().enumerate() {
            table[(3 * vector + part) * shape.lanes + lane % 2 * shape.lanes / 2 + lane / 2] = *entry;
        }
    }
    let (least, most) = (i32::MIN >> (32 - 8 * width), i32::MAX >> (32 - 8 * width));
    let (lo, hi) = draw.pick(&[(least, most), (0, most), (-100, 5)]);
    let first = draw.upto(3) as usize * width;
    let line = first + (shape.columns + 1) * width;
    let places: Vec<usize> = (0..rows).rev().map(|row| row * line).collect();
    let mut out = vec![0xA5; rows * line];
    let mut wanted = out.clone();
    for (row, place) in places.iter().enumerate() {
        for (column, [multiplier, addend, shift]) in records[..count].iter().enumerate() {
            let at = row * shape.columns + column;
            let acc = i64::from(acc[at]) + high.map_or(0, |high| 256 * i64::from(high[at]));
            let quotient = ((acc * multiplier + addend) >> shift).clamp(lo.into(), hi.into());
            let at = place + first + column * width;
            wanted[at..at + width].copy_from_slice(&quotient.to_le_bytes()[..width]);
        }
    }
    let columns = Columns { count, table: &table, lo, hi, width, first };
    let sums = drive::Sums { acc: &acc, high: high.as_ref() };
    // SAFETY: a row has room for all columns, and this thread alone has it.
    unsafe { drive::finish(kernel, sums, &columns, &places, out.as_mut_ptr()) };
    assert_eq!(out, wanted, "{}: {rows} rows, {count} columns of {width} bytes", kernel.name());
}

#[test]
fn a_tile_of_any_columns_is_its_quotients() {
    let mut draw = Draw(72);
    for (kernel, shape) in kernels() {
        for count in 1..=shape.columns {
            for width in [1, 2, 4] {
                for rows in [1, 2, 3, shape.rows] {
                    for run in 0..5 {
                        let two = shape.passes == 2 && run > 2;
                        check_finish(kernel, shape, (rows, count, width), two, &mut draw);
                    }
                }
            }
        }
    }
}
