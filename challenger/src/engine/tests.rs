//! Cases computed by hand, and the extremes of every type.

use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use super::*;

mod doubles;
mod edges;
mod kinds;
mod naive;
mod random;
mod scaled;
mod shared;

const INPUT: Operand = Operand { source: Source::Input, dtype: DType::I8, map: MAP };
const MAP: IndexMap = IndexMap { base: 0, out: [0; 4], red: [0; 3] };

fn bytes(dtype: DType, values: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|v| dtype.write(*v, &mut out));
    out
}

fn constant(dtype: DType, values: &[i64]) -> Constant {
    Constant { dtype, bytes: bytes(dtype, values) }
}

fn records(records: &[(i64, u32, u8)]) -> Constant {
    let bytes = records.iter().flat_map(|(bias, m, s)| record::encode(*bias, *m, *s)).collect();
    Constant { dtype: DType::Params, bytes }
}

/// Constant 0 holds the records, constant 1 is operand b.
fn operator(fold: Fold, dtype: DType, out: [u32; 4], red: [u32; 3], a: Operand) -> Operator {
    Operator {
        fold,
        dtype,
        out,
        red,
        a,
        windows: [Window::default(); 2],
        pad: if fold == Fold::Max { a.dtype.min() as i32 } else { 0 },
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: dtype.min() as i32,
        hi: dtype.max() as i32,
        split: 1024,
    }
}

/// All operators stand in one layer: engines give every operator's output, exported or not.
fn program(input: TensorType, operators: Vec<Operator>, constants: Vec<Constant>) -> Program {
    let (meta, groups) = (Meta::default(), vec![operators.len() as u8]);
    let parts = ProgramParts { input, operators, groups, constants, reveal_bits: 4, meta };
    Program::new(parts).expect("a legal program")
}

/// The last operator's bytes on every backend, which must agree.
fn run(program: &Program, input: &[u8]) -> Vec<u8> {
    let all = Backend::ALL.map(|backend| {
        let engine = BurnEngine::new(program, backend).expect("an exact backend");
        engine.run(input).expect("an answer").pop().expect("an operator")
    });
    assert_eq!(all[0], all[1], "backends agree");
    all[0].clone()
}

/// Holds every operator's output to the naive evaluator: on every backend, within narrow limits of memory too, and with
/// the float types of devices that lack one.
fn check(program: &Program, input: &[u8]) {
    use exact::Carrier::{F32, F64};
    let expected = naive::evaluate(program, input);
    let (wide, narrow) = (
        Limits::default(),
        Limits { gathered: 7, weights: 5, at_once: 20, outputs: 3, kept: 40, regions: 2 },
    );
    let both: &[_] = &[F32, F64];
    let large = program.operators().iter().any(|op| op.elements() > 1000);
    // Regions of a few elements take their time.
    let narrow = if large { Limits { outputs: 500, kept: 40, ..wide } } else { narrow };
    // Small regions that are planned ahead, all together.
    let cut = Limits { outputs: narrow.outputs, ..wide };
    for backend in Backend::ALL {
        self_test::once(backend).expect("an exact backend");
        for (limits, carriers) in [(wide, both), (narrow, both), (cut, both), (wide, &[F32]), (wide, &[F64])]
        {
            let engine = BurnEngine::planned(program, backend, &limits, carriers).expect("a plan");
            let got = engine.run(input).expect("an answer");
            for (op, (got, expected)) in program.operators().iter().zip(got.iter().zip(&expected)) {
                assert_eq!(got, expected, "{backend}, {carriers:?}: {op:?}");
            }
        }
    }
}

/// One output: the dot product of the input with constant 1, and one record.
fn linear(a: DType, b: DType, weights: &[i64], output: DType, record: (i64, u32, u8)) -> Program {
    let map = IndexMap { red: [0, 0, 1], ..MAP };
    let terms = weights.len() as u32;
    let operand = |source, dtype| Operand { source, dtype, map };
    let mut op = operator(Fold::Dot, output, [1; 4], [1, 1, terms], operand(Source::Input, a));
    op.b = Some(operand(Source::Constant(ConstantIndex(1)), b));
    let input = TensorType { dtype: a, elements: u64::from(terms) };
    program(input, vec![op], vec![records(&[record]), constant(b, weights)])
}

#[test]
fn every_backend_passes_the_self_test() {
    for backend in Backend::ALL {
        assert_eq!(self_test(backend), Ok(()));
        assert_eq!(backend.name().parse(), Ok(backend));
    }
    assert_eq!("abacus".parse::<Backend>(), Err(EngineError::UnknownBackend("abacus".into())));
}

#[test]
fn an_input_of_another_size_is_refused() {
    let program = linear(DType::I16, DType::I8, &[1, 2], DType::I8, (0, 2, 1));
    let engine = BurnEngine::new(&program, Backend::default()).expect("a plan");
    assert_eq!(engine.run(&[0; 3]), Err(EngineError::InputSize { expected: 4, given: 3 }));
}

#[test]
fn a_padded_convolution_by_hand() {
    // A 3 x 3 image of one channel, a 2 x 2 kernel with stride 2 and one row and column of padding before.
    let window = |stride| Window { limit: 3, stride, out_step: 2, red_step: 1, offset: 1 };
    let a = Operand { map: IndexMap { red: [0, 0, 1], ..MAP }, ..INPUT };
    let mut op = operator(Fold::Dot, DType::I8, [2, 2, 1, 2], [2, 2, 1], a);
    op.windows = [window(3), window(1)];
    let map = IndexMap { out: [0, 0, 0, 4], red: [2, 1, 1], ..MAP };
    op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), dtype: DType::I8, map });
    op.params.out = [0, 0, 0, 1];
    let constants = vec![records(&[(0, 2, 1), (10, 1, 1)]), constant(DType::I8, &[1, 2, 3, 4, -1, 0, 0, -3])];
    let program = program(TensorType { dtype: DType::I8, elements: 9 }, vec![op], constants);
    let out = run(&program, &bytes(DType::I8, &[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    // The second filter's accumulators get 10 added and are halved, ties upwards.
    let filters = [(4, -3), (18, -9), (36, -21), (77, -32)];
    let expected: Vec<i64> = filters.iter().flat_map(|(x, y)| [*x, (y + 10 + 1) >> 1]).collect();
    assert_eq!(out, bytes(DType::I8, &expected));
}

#[test]
fn channels_of_their_own_by_hand() {
    // Two positions, three channels, two terms: channel c of position p is x[p][c] w[c][0] + x[p + 1][c] w[c][1].
    let a = Operand { map: IndexMap { out: [3, 0, 1, 0], red: [3, 0, 0], base: 0 }, ..INPUT };
    let mut op = operator(Fold::Dot, DType::I16, [2, 1, 3, 1], [2, 1, 1], a);
    let map = IndexMap { out: [0, 0, 2, 0], red: [1, 0, 0], ..MAP };
    op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), dtype: DType::I8, map });
    let constants = vec![records(&[(0, 2, 1)]), constant(DType::I8, &[1, 10, -1, 100, 0, -128])];
    let program = program(TensorType { dtype: DType::I8, elements: 9 }, vec![op], constants);
    let out = run(&program, &bytes(DType::I8, &[1, 2, 3, 4, 5, 6, 7, 8, -128]));
    assert_eq!(out, bytes(DType::I16, &[41, 498, -768, 74, 795, 16384]));
}

#[test]
fn attack_27_channels_of_every_pair_of_types() {
    let types = [DType::I8, DType::I16, DType::I32];
    for (a, b) in types.iter().flat_map(|a| types.map(|b| (*a, b))).filter(|p| *p != (DType::I32, DType::I32))
    {
        // Four channels of two terms each, the extremes of both types in every combination.
        let map = IndexMap { out: [0, 0, 1, 0], red: [4, 0, 0], ..MAP };
        let operand = |source, dtype| Operand { source, dtype, map };
        let mut op = operator(Fold::Dot, DType::I32, [1, 1, 4, 1], [2, 1, 1], operand(Source::Input, a));
        op.b = Some(operand(Source::Constant(ConstantIndex(1)), b));
        let x = [a.min(), a.min(), a.max(), a.max(), -1, 0x77, -129 % a.max(), a.min()];
        let w = [b.min(), b.max(), b.min(), b.max(), b.min(), -0x55, 1, b.max()];
        for shift in [1u8, 9, 30] {
            let constants = vec![records(&[(0, 2, shift)]), constant(b, &w)];
            let program = program(TensorType { dtype: a, elements: 8 }, vec![op], constants);
            let expected: Vec<i64> = (0..4)
                .map(|c| i128::from(x[c]) * i128::from(w[c]) + i128::from(x[c + 4]) * i128::from(w[c + 4]))
                .map(|acc| (acc * 2 + (1 << (shift - 1))) >> shift)
                .map(|y| y.clamp(i32::MIN.into(), i32::MAX.into()) as i64)
                .collect();
            assert_eq!(run(&program, &bytes(a, &x)), bytes(DType::I32, &expected), "{a:?} {b:?} {shift}");
        }
    }
}

#[test]
fn pools_and_pairs_by_hand() {
    let window = Window { limit: 3, stride: 1, out_step: 1, red_step: 1, offset: 1 };
    let mut max = operator(Fold::Max, DType::I8, [3, 1, 1, 1], [2, 1, 1], INPUT);
    max.windows[0] = window;
    let mut sum = Operator { fold: Fold::Sum, pad: 0, dtype: DType::I16, ..max };
    (sum.lo, sum.hi) = (-32768, 32767);
    let map = IndexMap { out: [1, 0, 0, 0], ..MAP };
    let output = |index, dtype| Operand { source: Source::Operator(OperatorIndex(index)), dtype, map };
    let mut pair = operator(Fold::Pair, DType::I32, [3, 1, 1, 1], [1; 3], output(0, DType::I8));
    pair.b = Some(output(1, DType::I16));
    (pair.scale_a, pair.scale_b) = (1000, -7);
    let input = TensorType { dtype: DType::I8, elements: 3 };
    let program = program(input, vec![max, sum, pair], vec![records(&[(0, 2, 1)])]);
    for backend in Backend::ALL {
        let engine = BurnEngine::new(&program, backend).expect("a plan");
        let out = engine.run(&bytes(DType::I8, &[-5, -128, -100])).expect("an answer");
        assert_eq!(out[0], bytes(DType::I8, &[-5, -5, -100]));
        assert_eq!(out[1], bytes(DType::I16, &[-5, -133, -228]));
        assert_eq!(out[2], bytes(DType::I32, &[-4965, -4069, -98404]));
    }
}

#[test]
fn outputs_larger_than_a_region_are_put_together_again() {
    // 1,500 rows of 4,096 terms need two regions on operand a; three columns of different weights.
    let a = Operand { map: IndexMap { out: [0, 0, 1, 0], red: [0, 0, 1], base: 0 }, ..INPUT };
    let mut op = operator(Fold::Dot, DType::I32, [1, 1, 1500, 3], [1, 1, 4096], a);
    let map = IndexMap { out: [0, 0, 0, 1], red: [0; 3], ..MAP };
    op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), dtype: DType::I8, map });
    let constants = vec![records(&[(0, 2, 1)]), constant(DType::I8, &[1, -128, 127])];
    let elements = 1500 + 4095;
    let program = program(TensorType { dtype: DType::I8, elements }, vec![op], constants);
    let input: Vec<i64> = (0..elements as i64).map(|i| i * i % 251 - 128).map(|v| v.min(127)).collect();
    let sums = (0..1500).map(|row| input[row..row + 4096].iter().sum::<i64>());
    let expected: Vec<i64> = sums.flat_map(|sum| [sum, -128 * sum, 127 * sum]).collect();
    assert_eq!(run(&program, &bytes(DType::I8, &input)), bytes(DType::I32, &expected));
}

#[test]
fn attack_27_sums_at_and_past_the_last_exact_float() {
    for terms in [1023, 1024, 1025, 2049, 16_384] {
        for (x, w) in [(-128, -128), (-128, 127), (127, 127)] {
            let program = linear(DType::I8, DType::I8, &vec![w; terms], DType::I32, (1, 2, 1));
            let out = run(&program, &bytes(DType::I8, &vec![x; terms]));
            assert_eq!(out, bytes(DType::I32, &[x * w * terms as i64 + 1]), "{terms} x {x} x {w}");
        }
        // Alternating signs cancel to an odd remainder only when nothing rounds.
        let weights: Vec<i64> = (0..terms).map(|t| [127, -128][t % 2]).collect();
        let input: Vec<i64> = (0..terms).map(|t| if t + 1 == terms { 1 } else { -128 }).collect();
        let sum: i64 = input.iter().zip(&weights).map(|(x, w)| x * w).sum();
        let program = linear(DType::I8, DType::I8, &weights, DType::I32, (0, 2, 1));
        assert_eq!(run(&program, &bytes(DType::I8, &input)), bytes(DType::I32, &[sum]));
    }
}

#[test]
fn attack_27_extremes_of_every_pair_of_types() {
    let types = [DType::I8, DType::I16, DType::I32];
    for (a, b) in types.iter().flat_map(|a| types.map(|b| (*a, b))).filter(|p| *p != (DType::I32, DType::I32))
    {
        for terms in [1usize, 3, 1100] {
            for (x, w) in
                [(a.min(), b.min()), (a.min(), b.max()), (a.max(), b.min()), (a.max(), b.max()), (-1, 1)]
            {
                // A shift that leaves the product's leading bits, and one that leaves its last.
                for (shift, m) in [(20, 1), (1, 2)] {
                    let acc = i128::from(x) * i128::from(w) * terms as i128;
                    let expected = ((acc * i128::from(m) + (1 << (shift - 1))) >> shift)
                        .clamp(i128::from(i32::MIN), i128::from(i32::MAX));
                    let program = linear(a, b, &vec![w; terms], DType::I32, (0, m, shift));
                    let out = run(&program, &bytes(a, &vec![x; terms]));
                    assert_eq!(out, bytes(DType::I32, &[expected as i64]), "{a:?} {b:?} {terms} x {x} x {w}");
                }
            }
        }
    }
}

#[test]
fn attack_27_records_at_their_limits() {
    // One term, 1 * x: |x| <= 128, so (2^14 + |bias|) m + 2^(s-1) < 2^62 is the bound.
    let limits = [
        (0, 1, 62),
        (0, 1, 1),
        ((1 << 61) - (1 << 14) - 1, 1, 62),
        (-((1 << 61) - (1 << 14) - 1), 1, 62),
        ((1 << 62) - (1 << 14) - 2, 1, 1),
        (-((1 << 62) - (1 << 14) - 2), 1, 1),
        (-((1 << 30) - (1 << 14) - 1), u32::MAX, 1),
        ((1 << 30) - (1 << 14) - 2, u32::MAX, 32),
        (0, u32::MAX, 48),
    ];
    for (bias, m, s) in limits {
        for x in [-128, -127, -1, 0, 1, 127] {
            for output in [DType::I8, DType::I16, DType::I32] {
                let scaled = i128::from(x + bias) * i128::from(m) + (1i128 << (s - 1));
                let expected = (scaled >> s).clamp(output.min().into(), output.max().into()) as i64;
                let program = linear(DType::I8, DType::I8, &[1], output, (bias, m, s));
                assert_eq!(
                    run(&program, &bytes(DType::I8, &[x])),
                    bytes(output, &[expected]),
                    "{bias} {m} {s} {x}"
                );
            }
        }
    }
}

#[test]
fn attack_27_a_fold_of_a_thousand_chunks() {
    let terms = 1 << 20;
    let mut op = operator(Fold::Dot, DType::I32, [1; 4], [1, 1, terms], INPUT);
    op.b = Some(Operand { source: Source::Constant(ConstantIndex(1)), ..INPUT });
    op.split = 1 << 14;
    let constants = vec![records(&[(1, 1, 8)]), constant(DType::I8, &[-127])];
    let program = program(TensorType { dtype: DType::I8, elements: 1 }, vec![op], constants);
    let expected = (-127 * 127 * i64::from(terms) + 1 + 128) >> 8;
    assert_eq!(run(&program, &bytes(DType::I8, &[127])), bytes(DType::I32, &[expected]));
}

#[test]
fn an_engine_serves_several_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<BurnEngine>();
}
