//! Folds and endings of every kind, at their extremes, against the naive evaluator.

use super::*;

/// An operand with these steps.
fn operand(source: Source, dtype: DType, base: u32, out: [u32; 4], red: [u32; 3]) -> Operand {
    Operand { source, dtype, map: IndexMap { base, out, red } }
}

fn constant_at(index: u32) -> Source {
    Source::Constant(ConstantIndex(index))
}

fn output(index: u32) -> Source {
    Source::Operator(OperatorIndex(index))
}

/// The input's first elements, one for each position of the first axis, narrowed to lo … hi as they are.
fn copy(dtype: DType, count: u32, lo: i32, hi: i32) -> Operator {
    let a = operand(Source::Input, dtype, 0, [1, 0, 0, 0], [0; 3]);
    let op = operator(Fold::Sum, dtype, [count, 1, 1, 1], [1; 3], a);
    Operator { lo, hi, ..op }
}

#[test]
fn a_gather_reads_rows_and_an_index_beyond_them_the_first_or_the_last() {
    let names = [-128, -1, 0, 1, 2, 3, 4, 127];
    let table: Vec<i64> = (0..5 * 6).map(|i| i * 1_000_003 % 65_521 - 32_768).collect();
    // Whole rows; rows that overlap; the same row for all; columns, which no run can follow; another base.
    let cases = [(6, 5, 0, 1, 6), (1, 20, 0, 1, 6), (0, 9, 3, 1, 6), (1, 6, 0, 6, 5), (6, 4, 2, 2, 3)];
    for (step, rows, base, column, columns) in cases {
        let a = operand(Source::Input, DType::I8, 0, [0, 0, 1, 0], [0; 3]);
        let mut op = operator(Fold::Gather, DType::I16, [1, 1, 8, columns], [1; 3], a);
        op.b = Some(operand(constant_at(1), DType::I16, base, [0, 0, 0, column], [0; 3]));
        (op.scale_a, op.scale_b) = (step, rows);
        op.params.out = [0, 0, 0, 1];
        let list: Vec<_> = (0..columns as i64).map(|i| (i - 3, 3, 1)).collect();
        let constants = vec![records(&list), constant(DType::I16, &table)];
        let program = program(TensorType { dtype: DType::I8, elements: 8 }, vec![op], constants);
        check(&program, &bytes(DType::I8, &names));
    }
}

#[test]
fn a_gather_of_an_activation_by_an_activation() {
    // Operator 0 gives indices of 32 bits out of the input, operator 1 reads the input by them, element by element.
    let mut index = copy(DType::I32, 6, i32::MIN, i32::MAX);
    index.params.out = [1, 0, 0, 0];
    let a = operand(output(0), DType::I32, 0, [0, 1, 0, 0], [0; 3]);
    let mut op = operator(Fold::Gather, DType::I32, [2, 6, 1, 1], [1; 3], a);
    op.b = Some(operand(Source::Input, DType::I32, 0, [3, 0, 0, 0], [0; 3]));
    (op.scale_a, op.scale_b) = (1, 3);
    let list: Vec<_> = (0..6).map(|i| (i - 2, 2, 1)).collect();
    let program =
        program(TensorType { dtype: DType::I32, elements: 6 }, vec![index, op], vec![records(&list)]);
    for values in [[0, 1, 2, 3, 4, 5], [i32::MIN, i32::MAX, -1, 2, 0, i32::MAX]] {
        check(&program, &bytes(DType::I32, &values.map(i64::from)));
    }
}

#[test]
fn an_argmax_finds_the_first_of_equals() {
    for dtype in [DType::I8, DType::I16, DType::I32] {
        // Five rows of seven terms; then seven columns of five, which are neighbours in memory.
        let shapes = [([1, 5, 1, 1], 7, [0, 7, 0, 0], [0, 0, 1]), ([1, 1, 7, 1], 5, [0, 0, 1, 0], [0, 0, 7])];
        for (dims, terms, steps, red) in shapes {
            let a = operand(Source::Input, dtype, 0, steps, red);
            let op = operator(Fold::ArgMax, DType::I8, dims, [1, 1, terms], a);
            let program = program(TensorType { dtype, elements: 35 }, vec![op], vec![records(&[(0, 2, 1)])]);
            let (least, most) = (dtype.min(), dtype.max());
            for value in [least, least + 1, -1, 0, most] {
                check(&program, &bytes(dtype, &[value; 35]));
                let mut one = vec![least; 35];
                (one[3], one[12], one[13], one[34]) = (value, value, most, most);
                check(&program, &bytes(dtype, &one));
                let falling: Vec<i64> = (0..35).map(|i| most - i).collect();
                check(&program, &bytes(dtype, &falling));
            }
        }
    }
    // The last of many terms.
    let a = operand(Source::Input, DType::I8, 0, [0; 4], [0, 0, 1]);
    let op = operator(Fold::ArgMax, DType::I16, [1; 4], [1, 1, 9000], a);
    let op = Operator { split: 9000, ..op };
    let program =
        program(TensorType { dtype: DType::I8, elements: 9000 }, vec![op], vec![records(&[(0, 2, 1)])]);
    let mut values = vec![-128; 9000];
    values[8999] = -127;
    assert_eq!(run(&program, &bytes(DType::I8, &values)), bytes(DType::I16, &[8999]));
}

#[test]
fn a_pair_pads_with_zero_and_spreads_what_does_not_move() {
    let window = |limit, stride, offset| Window { limit, stride, out_step: 1, red_step: 1, offset };
    for (rows, columns) in [([4, 0, 1, 0], [0, 1, 0, 1]), ([0; 4], [0; 4]), ([0, 0, 0, 1], [0, 0, 1, 0])] {
        // a: a row and a column of padding around an image of 3 x 4 x 2.
        let a = operand(Source::Input, DType::I16, 0, [0, 0, 1, 0], [0; 3]);
        let mut op = operator(Fold::Pair, DType::I32, [5, 6, 2, 3], [1; 3], a);
        op.windows = [window(3, 8, 1), window(4, 2, 1)];
        op.b = Some(operand(Source::Input, DType::I16, 0, rows, [0; 3]));
        (op.scale_a, op.scale_b) = (-32_768, 12_345);
        op.params.out = [0, 1, 0, 0];
        let list: Vec<_> = (0..6).map(|i| (i * 7 - 9, 5 + i as u32, 3)).collect();
        let mut second = op;
        second.windows = [Window::default(); 2];
        second.a.map = IndexMap { out: columns, ..MAP };
        let input = TensorType { dtype: DType::I16, elements: 24 };
        let program = program(input, vec![op, second], vec![records(&list)]);
        check(&program, &bytes(DType::I16, &[-32_768; 24]));
        check(&program, &bytes(DType::I16, &(0..24).map(|i| i * 2729 - 32_768).collect::<Vec<_>>()));
    }
}

#[test]
fn a_table_is_read_from_its_first_entry_to_its_last() {
    for dtype in [DType::I8, DType::I16, DType::I32] {
        let entry = |i: i64| [dtype.min(), dtype.max(), -1, 0, i % 100][i as usize % 5];
        for (lo, hi) in [(-128, 127), (-5, -5), (-70_000, -69_990), (0, 4095), (i32::MIN, i32::MIN + 2)] {
            let entries: Vec<i64> = (0..=i64::from(hi) - i64::from(lo)).map(entry).collect();
            let a = operand(Source::Input, DType::I32, 0, [1, 0, 0, 0], [0; 3]);
            let mut op = operator(Fold::Sum, dtype, [8, 1, 1, 1], [1; 3], a);
            op.finalise = Finalise::Table(ConstantIndex(1));
            (op.lo, op.hi) = (lo, hi);
            let constants = vec![records(&[(0, 2, 1)]), constant(dtype, &entries)];
            let program = program(TensorType { dtype: DType::I32, elements: 8 }, vec![op], constants);
            let (lo, hi) = (i64::from(lo), i64::from(hi));
            let values = [lo - 1, lo, lo + 1, hi - 1, hi, hi + 1, i32::MIN.into(), i32::MAX.into()];
            check(&program, &bytes(DType::I32, &values.map(|v| v.clamp(i32::MIN.into(), i32::MAX.into()))));
        }
    }
}

#[test]
fn a_division_rounds_to_the_nearest_and_ties_up_whatever_the_signs() {
    for dtype in [DType::I8, DType::I16, DType::I32] {
        for (lift, m, s) in [(0, 2, 1), (1, 3, 2), (8, 1, 4), (29, 1, 30)] {
            let divisor = copy(dtype, 6, 1, dtype.max() as i32);
            // Every value by every divisor.
            let a = operand(Source::Input, dtype, 0, [0, 1, 0, 0], [0; 3]);
            let mut op = operator(Fold::Sum, DType::I32, [6, 12, 1, 1], [1; 3], a);
            let by = operand(output(0), dtype, 0, [1, 0, 0, 0], [0; 3]);
            op.finalise = Finalise::Divide { by, lift };
            op.params.out = [0, 0, 0, 0];
            let constants = vec![records(&[(0, 2, 1)]), records(&[(-3, m, s)])];
            op.params.constant = ConstantIndex(1);
            let program = program(TensorType { dtype, elements: 12 }, vec![divisor, op], constants);
            let (least, most) = (dtype.min(), dtype.max());
            for values in [
                [1, 2, 3, 7, 10, most, least, least + 1, -1, -2, -3, 0],
                [most - 1, most, 100, 99, 64, 3, -50, 50, -51, -49, 127, -127],
                [0, -5, 4, 5, 6, 9, 5, -5, 15, -15, 2, -2],
            ] {
                check(&program, &bytes(dtype, &values));
            }
        }
    }
}

#[test]
fn a_division_by_what_a_table_gives_and_by_one_scalar_of_many_dimensions() {
    let a = operand(Source::Input, DType::I8, 0, [0, 1, 0, 0], [0; 3]);
    let mut divisor = operator(Fold::Sum, DType::I32, [1, 3, 1, 1], [1; 3], a);
    (divisor.finalise, divisor.lo, divisor.hi) = (Finalise::Table(ConstantIndex(1)), -1, 1);
    let a = operand(Source::Input, DType::I8, 0, [12, 4, 2, 1], [0; 3]);
    let mut op = operator(Fold::Sum, DType::I16, [2, 3, 2, 2], [1; 3], a);
    op.finalise = Finalise::Divide { by: operand(output(0), DType::I32, 0, [0, 1, 0, 0], [0; 3]), lift: 14 };
    op.params = Params { constant: ConstantIndex(0), out: [0, 0, 0, 1] };
    let constants = vec![records(&[(0, 2, 1), (100, 1, 1)]), constant(DType::I32, &[1, i32::MAX.into(), 77])];
    let program = program(TensorType { dtype: DType::I8, elements: 24 }, vec![divisor, op], constants);
    check(&program, &bytes(DType::I8, &(0..24).map(|i| i * 11 % 251 - 125).collect::<Vec<_>>()));
    check(&program, &bytes(DType::I8, &[-128; 24]));
}

#[test]
fn a_root_of_squares_and_of_what_is_below_zero() {
    let a = operand(Source::Input, DType::I32, 0, [1, 0, 0, 0], [0; 3]);
    let mut op = operator(Fold::Sum, DType::I32, [10, 1, 1, 1], [1; 3], a);
    op.finalise = Finalise::Root;
    for (bias, m, s) in
        [(0, 2, 1), (1 << 31, 1, 1), (-7, 5, 3), ((1 << 61) - 1, 1, 8), (i64::MAX / 2 - (1 << 32), 1, 1)]
    {
        let input = TensorType { dtype: DType::I32, elements: 10 };
        let program = program(input, vec![op], vec![records(&[(bias, m, s)])]);
        check(&program, &bytes(DType::I32, &[i32::MIN.into(), -1, 0, 1, 2, 3, 4, 8, 9, i32::MAX.into()]));
        let squares = [46_340, 46_339, 30_000, 257];
        let beside = squares.iter().flat_map(|r: &i64| [r * r - 1, r * r, r * r + 1]);
        check(&program, &bytes(DType::I32, &beside.take(10).collect::<Vec<_>>()));
    }
}

#[test]
fn a_row_with_itself_at_the_widest_values_that_a_norm_may_have() {
    // 250 values up to 2^27: sums of squares just below 2^62, by rows.
    let (rows, terms) = (3u32, 250u32);
    let a = operand(Source::Input, DType::I32, 0, [terms, 1, 0, 0], [0; 3]);
    let clamped = operator(Fold::Sum, DType::I32, [rows, terms, 1, 1], [1; 3], a);
    let clamped = Operator { lo: -(1 << 27), hi: 1 << 27, ..clamped };
    let c = operand(output(0), DType::I32, 0, [terms, 0, 0, 0], [0, 0, 1]);
    let mut root = operator(Fold::Dot, DType::I32, [rows, 1, 1, 1], [1, 1, terms], c);
    (root.b, root.finalise, root.lo) = (Some(c), Finalise::Root, 1);
    // The norm: dot(c, gamma) over the root, with beta as the bias.
    let c = operand(output(0), DType::I32, 0, [terms, 1, 0, 0], [0; 3]);
    let mut norm = operator(Fold::Dot, DType::I16, [rows, terms, 1, 1], [1; 3], c);
    norm.b = Some(operand(constant_at(1), DType::I16, 0, [0, 1, 0, 0], [0; 3]));
    let by = operand(output(1), DType::I32, 0, [1, 0, 0, 0], [0; 3]);
    norm.finalise = Finalise::Divide { by, lift: 9 };
    norm.params = Params { constant: ConstantIndex(2), out: [0, 1, 0, 0] };
    let gamma: Vec<i64> = (0..i64::from(terms)).map(|i| i * 263 % 65_536 - 32_768).collect();
    let beta: Vec<_> = (0..i64::from(terms)).map(|i| (i * 31 - 4000, 1 << 10, 20)).collect();
    let constants = vec![records(&[(0, 2, 1)]), constant(DType::I16, &gamma), records(&beta)];
    let elements = u64::from(rows * terms);
    let program = program(TensorType { dtype: DType::I32, elements }, vec![clamped, root, norm], constants);
    check(&program, &bytes(DType::I32, &vec![i32::MIN.into(); elements as usize]));
    check(&program, &bytes(DType::I32, &vec![0; elements as usize]));
    let mixed = (0..elements as i64).map(|i| (i * 0x9E37_79B1) as i32);
    check(&program, &bytes(DType::I32, &mixed.map(i64::from).collect::<Vec<_>>()));
}

/// Attention with two heads over one input of i16: scores, softmax numerators, their sum, and values divided by it.
fn attention(positions: u32, width: u32, entries: i32) -> Program {
    let wide = 2 * width;
    let input = |base, out, red| operand(Source::Input, DType::I16, base, out, red);
    // scores[h][i][j] = sum over d of q[i][h][d] k[j][h][d], the input standing for both.
    let mut scores = operator(
        Fold::Dot,
        DType::I32,
        [2, positions, positions, 1],
        [1, 1, width],
        input(0, [width, wide, 0, 0], [0, 0, 1]),
    );
    scores.b = Some(input(0, [width, 0, wide, 0], [0, 0, 1]));
    let square = positions * positions;
    let row = |source| operand(source, DType::I32, 0, [square, positions, 0, 0], [0, 0, 1]);
    let top = operator(Fold::Max, DType::I32, [2, positions, 1, 1], [1, 1, positions], row(output(0)));
    let mut exp = operator(
        Fold::Pair,
        DType::I16,
        [2, positions, positions, 1],
        [1; 3],
        operand(output(1), DType::I32, 0, [positions, 1, 0, 0], [0; 3]),
    );
    exp.b = Some(operand(output(0), DType::I32, 0, [square, positions, 1, 0], [0; 3]));
    (exp.scale_a, exp.scale_b) = (1, -1);
    (exp.finalise, exp.lo, exp.hi) = (Finalise::Table(ConstantIndex(1)), 0, entries - 1);
    exp.params.constant = ConstantIndex(2);
    let numerators = |red| operand(output(2), DType::I16, 0, [square, positions, 0, 0], red);
    let sum = operator(Fold::Sum, DType::I32, [2, positions, 1, 1], [1, 1, positions], numerators([0, 0, 1]));
    let sum = Operator { lo: 1, ..sum };
    let mut values =
        operator(Fold::Dot, DType::I16, [2, positions, width, 1], [1, 1, positions], numerators([0, 0, 1]));
    values.b = Some(input(0, [width, 0, 1, 0], [0, 0, wide]));
    let by = operand(output(3), DType::I32, 0, [positions, 1, 0, 0], [0; 3]);
    values.finalise = Finalise::Divide { by, lift: 4 };
    values.params.constant = ConstantIndex(3);
    let table: Vec<i64> = (0..i64::from(entries)).map(|i| 4095 - i * 4095 / i64::from(entries - 1)).collect();
    let constants = vec![
        records(&[(0, 1, 4)]),
        constant(DType::I16, &table),
        records(&[(0, 1, 12)]),
        records(&[(0, 1, 4)]),
    ];
    let elements = u64::from(positions * wide);
    program(TensorType { dtype: DType::I16, elements }, vec![scores, top, exp, sum, values], constants)
}

#[test]
fn attention_with_heads_at_extremes_and_between() {
    for (positions, width) in [(1, 1), (7, 5), (33, 8)] {
        let program = attention(positions, width, 1 << 10);
        let elements = i64::from(positions * width * 2);
        for values in [
            vec![-32_768; elements as usize],
            (0..elements).map(|i| [32_767, -32_768][i as usize % 2]).collect(),
            (0..elements).map(|i| (i * 40_503) % 65_536 - 32_768).collect(),
            vec![0; elements as usize],
        ] {
            check(&program, &bytes(DType::I16, &values));
        }
    }
}

#[test]
fn attack_27_products_of_activations_of_every_pair_of_ranges() {
    // Both operands are outputs clamped to a range, in one column, in batches and as a matrix; terms from one on.
    let ranges =
        [(-1, 1), (0, 127), (-129, 4095), (-32_768, 32_767), (-(1 << 20), 1 << 21), (i32::MIN, i32::MAX)];
    for (low, high) in ranges.iter().flat_map(|a| ranges.map(|b| (*a, b))) {
        for terms in [1u32, 2, 37, 1031] {
            let reach = |(lo, hi): (i32, i32)| u128::from(lo.unsigned_abs().max(hi.unsigned_abs()));
            if reach(low) * reach(high) * u128::from(terms) * 2 + 2 >= 1 << 62 {
                continue;
            }
            let count = 6 * terms;
            let (a, b) = (copy(DType::I32, count, low.0, low.1), copy(DType::I32, count, high.0, high.1));
            let dot = |out: [u32; 4], steps_a: [u32; 4], steps_b: [u32; 4]| {
                let side = |index, steps: [u32; 4]| {
                    operand(output(index), DType::I32, 0, steps.map(|s| s * terms), [0, 0, 1])
                };
                let mut op = operator(Fold::Dot, DType::I32, out, [1, 1, terms], side(0, steps_a));
                op.b = Some(side(1, steps_b));
                op
            };
            let mut operators = vec![
                a,
                b,
                dot([1, 3, 2, 1], [0, 2, 1, 0], [0, 2, 1, 0]),
                dot([3, 2, 2, 1], [2, 1, 0, 0], [2, 0, 1, 0]),
                dot([6, 1, 1, 6], [1, 0, 0, 0], [0, 0, 0, 1]),
            ];
            operators[2..].iter_mut().for_each(|op| op.params.constant = ConstantIndex(1));
            // Products that pass 32 bits give their leading ones.
            let shift = if reach(low) * reach(high) > 1 << 30 { 25 } else { 1 };
            let constants = vec![records(&[(0, 2, 1)]), records(&[(0, 2, shift)])];
            let elements = u64::from(count);
            let program = program(TensorType { dtype: DType::I32, elements }, operators, constants);
            for values in [
                vec![i64::from(i32::MIN); count as usize],
                vec![i64::from(i32::MAX); count as usize],
                (0..i64::from(count)).map(|i| [i32::MAX, i32::MIN, -1][i as usize % 3].into()).collect(),
                (0..i64::from(count)).map(|i| i64::from((i * 0x9E37_79B1) as i32)).collect(),
            ] {
                check(&program, &bytes(DType::I32, &values));
            }
        }
    }
}

#[test]
fn attack_27_sums_of_activations_at_and_past_the_last_exact_float() {
    // Odd products of the greatest values, whose sum one rounding would change; the bias leaves its last bits only.
    let cases = [
        (127, 127, 1040),
        (127, 127, 1041),
        (127, 127, 2049),
        (255, 127, 519),
        (32_767, 127, 4097),
        (32_767, 32_767, 1027),
        ((1 << 26) - 1, 4095, 129),
        (i32::MAX, 32_767, 127),
        (i32::MAX, 32_767, 199),
        ((1 << 26) - 1, (1 << 26) - 1, 129),
    ];
    for (low, high, terms) in cases {
        let count = 3 * terms;
        let side =
            |index, out: [u32; 4]| operand(output(index), DType::I32, 0, out.map(|s| s * terms), [0, 0, 1]);
        let mut dot = operator(Fold::Dot, DType::I32, [3, 1, 1, 3], [1, 1, terms], side(0, [1, 0, 0, 0]));
        dot.b = Some(side(1, [0, 0, 0, 1]));
        dot.params.constant = ConstantIndex(1);
        let sum = i64::from(low) * i64::from(high) * i64::from(terms);
        let operators = vec![copy(DType::I32, count, -low, low), copy(DType::I32, count, -high, high), dot];
        let constants = vec![records(&[(0, 2, 1)]), records(&[(5 - sum, 2, 1)])];
        let program =
            program(TensorType { dtype: DType::I32, elements: u64::from(count) }, operators, constants);
        let input = bytes(DType::I32, &vec![i32::MAX.into(); count as usize]);
        assert_eq!(naive::evaluate(&program, &input)[2], bytes(DType::I32, &[5; 9]));
        check(&program, &input);
    }
}

#[test]
fn ranges_are_what_tensors_may_hold_and_no_more() {
    let a = operand(Source::Input, DType::I16, 0, [1, 0, 0, 0], [0; 3]);
    let mut table = operator(Fold::Sum, DType::I16, [3, 1, 1, 1], [1; 3], a);
    (table.finalise, table.lo, table.hi) = (Finalise::Table(ConstantIndex(1)), 0, 3);
    let constants = vec![records(&[(0, 2, 1)]), constant(DType::I16, &[5, -700, 4095, 0])];
    let input = TensorType { dtype: DType::I16, elements: 3 };
    let program = program(input, vec![table, copy(DType::I16, 3, -9, 8)], constants);
    let range = |source| {
        let range = held::Held::new(&program).range(source);
        (range.least, range.greatest)
    };
    assert_eq!(range(Source::Input), (-32_768, 32_767));
    assert_eq!(range(constant_at(1)), (-700, 4095));
    assert_eq!(range(output(0)), (-700, 4095), "the table's entries, not the values that name them");
    assert_eq!(range(output(1)), (-9, 8));
}
