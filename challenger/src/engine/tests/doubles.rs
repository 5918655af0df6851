//! Endings in doubles at the last exact integer, and several inputs in one pass.

use super::*;
use crate::engine::records::limits;

/// Two's powers and their neighbours up to what 32 bits hold, of both signs.
fn edges() -> Vec<i64> {
    let all = (0..32).flat_map(|bit| [-1i64, 0, 1].map(|d| (1i64 << bit) + d)).flat_map(|v| [v, -v]);
    all.filter(|v| i32::try_from(*v).is_ok()).collect()
}

/// A row of i32 values, each requantised with this record.
fn map(record: (i64, u32, u8), output: DType, (lo, hi): (i32, i32)) -> (Program, Vec<u8>) {
    let values = edges();
    let elements = values.len() as u32;
    let map = IndexMap { out: [0, 0, 0, 1], ..MAP };
    let a = Operand { dtype: DType::I32, map, ..INPUT };
    let mut op = operator(Fold::Sum, output, [1, 1, 1, elements], [1; 3], a);
    (op.lo, op.hi) = (lo, hi);
    let input = TensorType { dtype: DType::I32, elements: elements.into() };
    (program(input, vec![op], vec![records(&[record])]), bytes(DType::I32, &values))
}

#[test]
fn requantised_values_before_at_and_past_the_last_exact_double() {
    for (m, s) in
        [(1, 1), (2, 1), (3, 2), (1 << 21, 22), ((1 << 22) - 1, 22), ((1 << 22) + 1, 23), (1 << 30, 30)]
    {
        for bias in [0, 1, -1, (1 << 22) + 1, -(1 << 30)] {
            // What saturates early is in doubles, what saturates late in integers; the least above 0 is cut off.
            for (dtype, lo, hi) in [
                (DType::I8, -128, 127),
                (DType::I8, 0, 127),
                (DType::I16, -5, -5),
                (DType::I16, -32768, 32767),
                (DType::I32, i32::MIN, i32::MAX),
                (DType::I32, 3, i32::MAX),
            ] {
                let (program, input) = map((bias, m, s), dtype, (lo, hi));
                check(&program, &input);
            }
        }
    }
}

#[test]
fn quotients_before_at_and_past_the_last_exact_double() {
    let values: Vec<i64> = edges().into_iter().step_by(5).collect();
    let elements = values.len() as u32;
    let input = TensorType { dtype: DType::I32, elements: elements.into() };
    let row = IndexMap { out: [0, 0, 0, 1], ..MAP };
    let a = Operand { dtype: DType::I32, map: row, ..INPUT };
    for least in [1, 2, 1 << 20] {
        for lift in [0, 1, 21, 22, 23, 29] {
            for (m, s, dtype) in
                [(2, 1, DType::I8), (2, 1, DType::I16), (3, 9, DType::I16), (2, 1, DType::I32)]
                    // Of these the shift is part of the division, where the lift reaches it.
                    .into_iter()
                    .chain([(1, 1, DType::I16), (1, 2, DType::I8), (2, 9, DType::I16), (1, 22, DType::I32)])
            {
                // Each value by each clamped one before it: small and great divisors of small and great values.
                let mut by = operator(Fold::Max, DType::I32, [1, 1, 1, elements], [1; 3], a);
                by.lo = least;
                let step = IndexMap { out: [0, 0, 1, 0], ..MAP };
                let mut op = operator(Fold::Sum, dtype, [1, 1, elements, elements], [1; 3], a);
                let divisor =
                    Operand { source: Source::Operator(OperatorIndex(0)), dtype: DType::I32, map: step };
                op.finalise = Finalise::Divide { by: divisor, lift };
                op.params.constant = ConstantIndex(1);
                for (bias, lo) in [(7, op.lo), (-5, 0), (0, -3)] {
                    op.lo = lo;
                    let constants = vec![records(&[(0, 2, 1)]), records(&[(bias, m, s)])];
                    check(&program(input, vec![by, op], constants), &bytes(DType::I32, &values));
                }
            }
        }
    }
}

#[test]
fn beyond_the_limits_of_a_record_nothing_changes_and_before_them_it_does() {
    let element = |x: i128, (bias, m, s): (i64, i64, u8)| {
        ((x + i128::from(bias)) * i128::from(m) + (1i128 << (s - 1))) >> s
    };
    for record in
        [(0, 1, 1), (0, 2, 1), (5, 3, 2), (-7, (1 << 24) - 1, 40), (1 << 40, 1, 20), (3, u32::MAX.into(), 1)]
    {
        for (lo, hi) in [(-128, 127), (0, 127), (-1, 0), (i32::MIN.into(), i32::MAX.into())] {
            let (low, high) = limits(&[record], lo, hi);
            assert!(element(low, record) <= lo && element(low + 1, record) > lo, "{record:?} {lo}");
            assert!(element(high, record) >= hi && element(high - 1, record) < hi, "{record:?} {hi}");
        }
        let (low, high) = limits(&[record], 9, 9);
        assert!(low <= high);
    }
}

#[test]
fn several_inputs_in_one_pass_give_what_each_gives_alone() {
    let (program, input) = map((3, 5, 4), DType::I16, (-700, 900));
    let mut other = input.clone();
    other.rotate_left(4);
    for backend in Backend::ALL {
        let limits = Limits { outputs: 7, ..Limits::default() };
        for limits in [limits, Limits { kept: 0, ..limits }, Limits::default()] {
            let engine = BurnEngine::with_limits(&program, backend, &limits).expect("an exact backend");
            let alone = [&input, &other, &input].map(|input| engine.run(input).expect("an answer"));
            assert_ne!(alone[0], alone[1], "an engine that gives one input's answer to all is seen");
            assert_eq!(engine.run_all(&[&input, &other, &input]).expect("answers"), alone);
            assert_eq!(engine.run_all(&[]), Ok(vec![]));
            assert_eq!(engine.run_exports(&[]), Ok(vec![]));
            assert_eq!(
                engine.run_exports(&[&other, &input]).expect("answers"),
                [&alone[1], &alone[0]].map(Clone::clone)
            );
            let short = &input[1..];
            let refused = EngineError::InputSize { expected: input.len() as u64, given: short.len() as u64 };
            assert_eq!(engine.run_all(&[&input, short]), Err(refused.clone()));
            assert_eq!(engine.run_exports(&[&input, short]), Err(refused));
        }
    }
}

#[test]
fn what_no_layer_exports_is_left_out_and_the_rest_is_the_same() {
    let values = edges();
    let elements = values.len() as u32;
    let row = IndexMap { out: [0, 0, 0, 1], ..MAP };
    let step = |source| {
        let a = Operand { source, dtype: DType::I32, map: row };
        let mut op = operator(Fold::Sum, DType::I32, [1, 1, 1, elements], [1; 3], a);
        (op.lo, op.hi) = (i32::MIN, i32::MAX);
        op
    };
    let operators = vec![step(Source::Input), step(Source::Operator(OperatorIndex(0)))];
    let input = TensorType { dtype: DType::I32, elements: elements.into() };
    let program = program(input, operators, vec![records(&[(9, 3, 2)])]);
    let input = bytes(DType::I32, &values);
    for backend in Backend::ALL {
        let engine = BurnEngine::new(&program, backend).expect("an exact backend");
        let whole = engine.run(&input).expect("an answer");
        let exports: Vec<u32> = program.layers().iter().flat_map(|l| l.exported()).map(|i| i.0).collect();
        let kept = engine.run_exports(&[&input]).expect("an answer").remove(0);
        for (index, (all, kept)) in whole.iter().zip(&kept).enumerate() {
            let exported = exports.contains(&(index as u32));
            assert_eq!(kept, if exported { all } else { const { &Vec::new() } }, "operator {index}");
        }
        assert_eq!((whole.len(), kept.len(), exports.len()), (2, 2, 1), "one of two is exported");
    }
}
