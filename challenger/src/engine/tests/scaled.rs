//! Products that are multiplied with their records' factors, up to the last exact double and beyond, cut into columns.

use super::*;

/// A multiplier's inverse modulo 2^s.
pub(super) fn inverse(m: i64, s: u8) -> i64 {
    (0..6).fold(1i64, |x, _| x.wrapping_mul(2i64.wrapping_sub(m.wrapping_mul(x)))) & ((1 << s) - 1)
}

/// A bias that brings accumulator `x` to an integer or to the last number below one: (x + bias) m + 2^(s-1) is 0 or 2^s - 1 modulo
/// 2^s, so that what is lost, or won, by rounding gives another element.
pub(super) fn edge(x: i64, m: u32, s: u8, below: bool) -> i64 {
    let wanted =
        ((1i64 << (s - 1)) - i64::from(below)).wrapping_mul(inverse(i64::from(m), s)) & ((1 << s) - 1);
    let bias = (wanted - x) & ((1 << s) - 1);
    if bias >= 1 << (s - 1) { bias - (1 << s) } else { bias }
}

/// Greatest values that nearly cancel: sums of their products on the way are far greater than the last.
fn columns(terms: usize, count: usize) -> (Vec<i64>, Vec<Vec<i64>>) {
    let row: Vec<i64> = (0..terms as i64).map(|t| 32767 - 2 * t).collect();
    let column = |c: usize| {
        let weight = |t: usize| (127 - ((t / 2 + c) % 3) as i64) * if t < terms / 2 { 1 } else { -1 };
        let mut column: Vec<i64> = (0..terms).map(weight).collect();
        let sum = |column: &[i64]| column.iter().zip(&row).map(|(w, a)| w * a).sum::<i64>();
        // The last weight takes what is left down to less than one of the last value.
        let rest = sum(&column) / row[terms - 1];
        column[terms - 1] = (column[terms - 1] - rest).clamp(-128, 127);
        column
    };
    let columns = (0..count).map(column).collect();
    (row, columns)
}

#[test]
fn products_are_scaled_where_that_is_exact_and_only_there() {
    let (terms, rows, count, s) = (16usize, 3usize, 9usize, 21u8);
    let (row, columns) = columns(terms, count);
    let input: Vec<i64> = (0..rows).flat_map(|r| row.iter().map(move |a| a - 2 * r as i64)).collect();
    let sums: Vec<i64> =
        columns.iter().map(|column| column.iter().zip(&row).map(|(w, a)| w * a).sum()).collect();
    assert!(sums.iter().all(|sum| sum.abs() < 1 << 18), "sums that the limits hold: {sums:?}");
    let greatest: i64 =
        columns.iter().map(|c| c.iter().map(|w| w.abs()).sum::<i64>()).max().expect("columns");
    // The last multiplier up to which every sum on the way is exact, and some beyond it.
    let last = ((1i64 << 53) / (greatest << 15)) as u32;
    assert!(last > 1 << 26, "{last}");
    for m in [3, (last - 1) | 1, (last + 1) | 1, (3 * last) | 1, (7 * last) | 1, (1 << 31) - 1] {
        // Along an axis that moves neither operand, other records.
        let record = |m, i: usize, sum: &i64| (edge(*sum, m, s, i.is_multiple_of(2)), m, s);
        let of = |m| sums.iter().enumerate().map(move |(i, sum)| record(m, i, sum));
        let list: Vec<_> = of(m).chain(of(m - 2)).collect();
        for (dtype, lo, hi) in
            [(DType::I32, -(1 << 28), 1 << 28), (DType::I16, -32768, 32767), (DType::I16, 0, 500)]
        {
            let map = |out, red| IndexMap { out, red: [0, 0, red], ..MAP };
            let a = Operand { dtype: DType::I16, map: map([0, 0, terms as u32, 0], 1), ..INPUT };
            let mut op =
                operator(Fold::Dot, dtype, [1, 2, rows as u32, count as u32], [1, 1, terms as u32], a);
            let source = Source::Constant(ConstantIndex(1));
            op.b = Some(Operand { source, dtype: DType::I8, map: map([0, 0, 0, terms as u32], 1) });
            op.params.out = [0, count as u32, 0, 1];
            (op.lo, op.hi) = (lo, hi);
            let weights = constant(DType::I8, &columns.concat());
            let input_type = TensorType { dtype: DType::I16, elements: (rows * terms) as u64 };
            check(&program(input_type, vec![op], vec![records(&list), weights]), &bytes(DType::I16, &input));
            // The same columns out of an operator, with one record for all of them, for each of the sums.
            for (bias, m, s) in list.iter().step_by(7) {
                let one = Operand { dtype: DType::I16, map: map([0, 0, 0, 1], 0), ..INPUT };
                let copied = rows * terms;
                let own = operator(Fold::Sum, DType::I16, [1, 1, 1, copied as u32], [1; 3], one);
                let mut op = Operator { a: Operand { map: map([0, 0, 0, 0], 1), ..a }, ..op };
                op.out = [1, 1, 1, rows as u32];
                op.b = Some(Operand {
                    source: Source::Operator(OperatorIndex(0)),
                    dtype: DType::I16,
                    map: map([0, 0, 0, terms as u32], 1),
                });
                op.a = Operand { source, dtype: DType::I8, map: map([0; 4], 1) };
                op.params = Params { constant: ConstantIndex(2), out: [0; 4] };
                let constants = vec![
                    records(&[(0, 2, 1)]),
                    constant(DType::I8, &columns[0]),
                    records(&[(*bias, *m, *s)]),
                ];
                check(&program(input_type, vec![own, op], constants), &bytes(DType::I16, &input));
            }
        }
    }
}

#[test]
fn rows_are_summed_at_and_past_the_last_exact_float() {
    for terms in [1u32 << 17, (1 << 17) + 1, 140_001] {
        // All but one of them the least: an odd sum, which single floats do not hold beyond 2^24.
        let values: Vec<i64> = (0..terms).map(|i| if i == 7 { -127 } else { -128 }).collect();
        let a = Operand { map: IndexMap { red: [0, 0, 1], ..MAP }, ..INPUT };
        let op = operator(Fold::Sum, DType::I32, [1; 4], [1, 1, terms], a);
        let input = TensorType { dtype: DType::I8, elements: terms.into() };
        check(&program(input, vec![op], vec![records(&[(0, 2, 1)])]), &bytes(DType::I8, &values));
    }
}
