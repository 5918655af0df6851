//! Each bound of exact doubles and floats, by an input of which an engine that trusts it too far gets an element wrong.

use super::random::Draw;
use super::scaled::edge;
use super::*;

const SEEDS: u64 = 120;

fn row(base: u32, source: Source) -> Operand {
    Operand { source, dtype: DType::I32, map: IndexMap { base, out: [0, 0, 0, 1], red: [0; 3] } }
}

fn output(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// A row of the input from `base` on, held to `least` and `most`.
fn held(base: u32, count: usize, least: i64, most: i64) -> Operator {
    let a = row(base, Source::Input);
    let mut op = operator(Fold::Sum, DType::I32, [1, 1, 1, count as u32], [1; 3], a);
    (op.lo, op.hi) = (least as i32, most as i32);
    op
}

/// Accumulators up to `reach`, divided by one divisor; each stands where its dividend leaves nothing, one, or one less than the divisor.
fn quotients(
    reach: i128,
    d: i64,
    lift: u8,
    record: (i64, u32, u8),
    (dtype, lo): (DType, i32),
    draw: &mut Draw,
) {
    // An accumulator is a 2^k + b.
    let k = (128 - (reach >> 30).leading_zeros()) % 128;
    let (a_most, b_most) = ((reach >> k) as i64, (1i64 << k) - 1);
    let wide = i128::from(d);
    let parts: Vec<(i64, i64)> = near(reach, wide, lift, draw)
        .into_iter()
        .map(|x| {
            let a = (x >> k).clamp(-i128::from(a_most), i128::from(a_most));
            (a as i64, ((x - (a << k)) as i64).clamp(-b_most, b_most))
        })
        .collect();
    let count = parts.len();
    let values: Vec<i64> = parts.iter().map(|p| p.0).chain(parts.iter().map(|p| p.1)).chain([d]).collect();
    let mut op = operator(Fold::Pair, dtype, [1, 1, 1, count as u32], [1; 3], row(0, output(0)));
    op.b = Some(row(0, output(1)));
    (op.scale_a, op.scale_b, op.lo) = (1 << k, 1, lo);
    op.params.constant = ConstantIndex(1);
    let by = Operand { map: MAP, ..row(0, output(2)) };
    op.finalise = Finalise::Divide { by, lift };
    let operators = vec![
        held(0, count, -a_most, a_most),
        held(count as u32, count, -b_most, b_most),
        held(2 * count as u32, 1, d, d),
        op,
    ];
    let input = TensorType { dtype: DType::I32, elements: values.len() as u64 };
    let constants = vec![records(&[(0, 2, 1)]), records(&[record])];
    check(&program(input, operators, constants), &bytes(DType::I32, &values));
}

/// Accumulators x up to `reach` of which x 2^lift + d / 2 is 0, 1 or d - 1 modulo an odd d, near the ends and between them.
fn near(reach: i128, d: i128, lift: u8, draw: &mut Draw) -> Vec<i128> {
    // 2 is invertible: its inverse is (d + 1) / 2.
    let inverse = (0..lift).fold(1, |x, _| x * ((d + 1) / 2) % d);
    let between = |draw: &mut Draw| {
        let any = i128::from(draw.upto((1 << 31) - 1)) << 31 | i128::from(draw.upto((1 << 31) - 1));
        any % (2 * reach + 1) - reach
    };
    let mut all = vec![reach, -reach];
    for step in 0..38 {
        let residue = draw.pick(&[0, d - 1, 1]);
        let near = match step % 4 {
            0 => reach,
            1 => -reach,
            _ => between(draw),
        };
        let at = (residue - d / 2).rem_euclid(d) * inverse % d;
        all.push((near - (near - at).rem_euclid(d) + d * i128::from(step % 2 == 1)).clamp(-reach, reach));
    }
    all
}

#[test]
fn quotients_next_to_integers() {
    let mut draw = Draw(1);
    for lo in [i32::MIN, 0] {
        let wide = (DType::I32, lo);
        quotients((1 << 26) - 1, 155_417_107, 28, (0, 3, 2), wide, &mut draw);
        quotients((1 << 26) - 1, 14_898_547, 27, (-114_757, 2, 1), wide, &mut draw);
        quotients((1 << 53) - 2, (1 << 30) - 1, 2, (1, 3, 2), wide, &mut draw);
    }
    for _ in 0..SEEDS {
        let lift = draw.upto(30) as u8;
        let reach = ((1i128 << (48 + draw.upto(6))) >> lift).max(4) - i128::from(draw.upto(2));
        let d = (draw.upto((1 << 31) - 2) >> draw.upto(28)) as i64 | 1;
        let s = 1 + draw.upto(19) as u8;
        let (m, s) = draw.pick(&[(2, 1), (3, 2), (1, s), (5, s)]);
        let bias = draw.pick(&[0, 1, -114_757]);
        let ending =
            draw.pick(&[(DType::I32, i32::MIN), (DType::I32, 0), (DType::I32, -70_000), (DType::I16, -9)]);
        quotients(reach, d, lift, (bias, m, s), ending, &mut draw);
    }
}

#[test]
fn a_joint_division_whose_bias_times_the_divisor_passes_64_bits() {
    let by = held(0, 4, i64::from(i32::MAX) - 1, i32::MAX.into());
    let small = Operator { dtype: DType::I16, lo: -32768, hi: 32767, ..held(4, 4, 0, 0) };
    let mut op = held(0, 4, -3, i32::MAX.into());
    op.a = Operand { dtype: DType::I16, ..row(0, output(1)) };
    op.finalise = Finalise::Divide { by: row(0, output(0)), lift: 29 };
    op.params.constant = ConstantIndex(1);
    let constants = vec![records(&[(0, 2, 1)]), records(&[(1 << 40, 1, 30)])];
    let values = [i64::from(i32::MAX), i64::from(i32::MAX) - 1, 5, 7, 1, 2, 30_000, -30_000];
    let input = TensorType { dtype: DType::I32, elements: 8 };
    check(&program(input, vec![by, small, op], constants), &bytes(DType::I32, &values));
}

#[test]
fn pairs_that_cancel_after_53_bits() {
    let most = i64::from(i32::MAX);
    let mut op = operator(Fold::Pair, DType::I32, [1; 4], [1; 3], row(0, output(0)));
    op.b = Some(row(0, output(0)));
    (op.scale_a, op.scale_b) = ((1 << 22) + 1, -((1 << 22) - (1 << 11)));
    op.params.constant = ConstantIndex(1);
    for a in [most, most - 2, most - 4, most - 6] {
        for below in [false, true] {
            let bias = edge(a * i64::from(op.scale_a + op.scale_b), 1, 12, below);
            let constants = vec![records(&[(0, 2, 1)]), records(&[(bias, 1, 12)])];
            let input = TensorType { dtype: DType::I32, elements: 1 };
            check(&program(input, vec![held(0, 1, -most, most), op], constants), &bytes(DType::I32, &[a]));
        }
    }
}

#[test]
fn channels_that_pass_24_bits() {
    let channels = 3u32;
    for terms in [1023, 1025, 1100, 2049, 4096] {
        for (out, red) in [(terms, 1), (1, channels)] {
            let map = IndexMap { out: [0, 0, out, 0], red: [0, 0, red], ..MAP };
            let a = Operand { map, ..INPUT };
            let mut op = operator(Fold::Dot, DType::I32, [1, 1, channels, 1], [1, 1, terms], a);
            op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), ..a });
            let values = |every: usize| {
                let least =
                    (0..(terms * channels) as usize).map(|i| if i % every == 3 { -127 } else { -128 });
                least.collect::<Vec<i64>>()
            };
            let input = TensorType { dtype: DType::I8, elements: u64::from(terms * channels) };
            let constants = vec![records(&[(0, 2, 1)]), constant(DType::I8, &values(97))];
            check(&program(input, vec![op], constants), &bytes(DType::I8, &values(89)));
        }
    }
}

#[test]
fn sums_with_their_bias_at_the_last_exact_double() {
    let mut draw = Draw(2);
    for _ in 0..4 * SEEDS {
        let terms = 1 + draw.upto(5) as usize;
        let count = terms.div_ceil(2) + draw.upto(5) as usize;
        let greatest = 1 + draw.upto(126) as i64;
        let weights: Vec<i64> =
            (0..count * terms).map(|_| draw.pick(&[-greatest, greatest, greatest])).collect();
        let row: Vec<i64> =
            (0..terms).map(|_| draw.pick(&[1, 1, 1, -1]) * (32_767 - draw.upto(40) as i64)).collect();
        let reach = greatest * terms as i64 * 32_768;
        let list = weights.chunks(terms).map(|column| {
            let sum: i64 = column.iter().zip(&row).map(|(w, a)| w * a).sum();
            let s = 22 + draw.upto(31) as u8;
            let last = (1i64 << 53) / reach * draw.pick(&[1, 1, 1, 2, 3]) / draw.pick(&[1, 1, 2]);
            let m = (last - draw.upto(63) as i64).clamp(1, u32::MAX.into()) as u32 | 1;
            let bias = edge(sum, m, s, draw.upto(1) == 0);
            (if draw.upto(3) == 0 { draw.upto(2) as i64 - 1 } else { bias }, m, s)
        });
        let list = records(&list.collect::<Vec<_>>());
        let map = |out, red| IndexMap { out: [0, 0, 0, out], red: [0, 0, red], ..MAP };
        let a = Operand { source: Source::Input, dtype: DType::I16, map: map(0, 1) };
        let mut op = operator(Fold::Dot, DType::I32, [1, 1, 1, count as u32], [1, 1, terms as u32], a);
        let b = Source::Constant(ConstantIndex(1));
        op.b = Some(Operand { source: b, dtype: DType::I8, map: map(terms as u32, 1) });
        op.params.out = [0, 0, 0, 1];
        op.lo = draw.pick(&[i32::MIN, -70_000, 0]);
        let input = TensorType { dtype: DType::I16, elements: terms as u64 };
        let parts = ProgramParts {
            input,
            operators: vec![op],
            groups: vec![1],
            constants: vec![list, constant(DType::I8, &weights)],
            reveal_bits: 4,
            meta: Meta::default(),
        };
        // Some of the biases are beyond what a record takes.
        if let Ok(program) = Program::new(parts) {
            check(&program, &bytes(DType::I16, &row));
        }
    }
}
