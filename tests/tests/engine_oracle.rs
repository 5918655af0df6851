//! The native engine against the oracle, bit for bit, on random legal programs.

use std::collections::BTreeSet;

use narrows_executor::engine::{Engine, Kernel};
use narrows_program::example::{self, INPUT, OUTPUT};
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Reference, Source, TensorType, Window, record,
};
use narrows_tests::{oracle, random_program};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn agree((program, input): (Program, Vec<u8>)) -> Result<(), TestCaseError> {
    let oracle = oracle::run(&program, &input);
    for kernel in Kernel::available() {
        let engine = Engine::with(&program, kernel).run(&input).expect("the input fits");
        prop_assert_eq!(engine.len(), oracle.len());
        for (index, (engine, oracle)) in engine.iter().zip(&oracle).enumerate() {
            let operator = &program.operators()[index];
            prop_assert_eq!(engine, oracle, "{}, operator {}: {:?}", kernel.name(), index, operator);
        }
    }
    Ok(())
}

#[test]
fn the_example_gives_what_it_says() {
    let program = Program::new(example::parts()).expect("legal");
    assert_eq!(oracle::run(&program, &INPUT), [OUTPUT, OUTPUT]);
    agree((program, INPUT.to_vec())).expect("every kernel gives the same");
}

/// Read for each operator anew, the constants would take minutes, and the table hours.
#[test]
fn operators_that_share_a_large_constant_are_planned_at_once() {
    const LARGE: u32 = 1 << 22;
    let parts = example::parts();
    let linear = parts.operators[0];
    let identity = Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() };
    let bytes = |count: u32| (0..count).map(|i| i as u8 % 100).collect();
    let map = |out, red| IndexMap { base: 0, out: [0, 0, 0, out], red: [0, 0, red] };
    let ends = Operand { map: map(0, LARGE - 1), ..linear.b.expect("a product has weights") };
    let dot = Operator { out: [1; 4], red: [1, 1, 2], b: Some(ends), ..linear };
    let one = Operator { fold: Fold::Sum, red: [1; 3], b: None, split: 1, ..linear };
    let table = Operator { finalise: Finalise::Table(ConstantIndex(0)), lo: 0, hi: LARGE as i32 - 1, ..one };
    let row = Operand { map: map(1, 0), ..one.a };
    let params = Params { constant: ConstantIndex(0), out: [0, 0, 0, (1 << 19) - 1] };
    let pair = Operator { fold: Fold::Pair, a: row, b: Some(row), scale_a: 1, scale_b: 2, params, ..one };
    let records = Constant { dtype: DType::Params, bytes: identity.bytes.repeat(1 << 20) };
    let weights = Constant { dtype: DType::I8, bytes: bytes(LARGE) };
    for (op, constants) in [
        (dot, vec![weights.clone(), identity.clone()]),
        (table, vec![weights, identity]),
        (pair, vec![records]),
    ] {
        let operators = vec![op; 1 << 12];
        let parts =
            ProgramParts { groups: vec![32; operators.len() / 32], operators, constants, ..parts.clone() };
        agree((Program::new(parts).expect("legal"), INPUT.to_vec())).expect("every kernel gives the same");
    }
}

/// At least 3000 programs a test; more by PROPTEST_CASES.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(3000), ..default }
}

/// The least and the greatest value that an operator may give.
fn range(program: &Program, operator: OperatorIndex) -> (i64, i64) {
    let operator = program.operator(operator);
    let Finalise::Table(table) = operator.finalise else { return (operator.lo.into(), operator.hi.into()) };
    let table = program.constant(table);
    let entries: Vec<i64> = (0..).map_while(|at| table.dtype.read(&table.bytes, at)).collect();
    let most =
        |order: fn(i64, i64) -> i64| entries.iter().copied().reduce(order).expect("a table has an entry");
    (most(i64::min), most(i64::max))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn engine_is_the_oracle(case in random_program::program()) {
        agree(case)?;
    }

    #[test]
    fn dot_is_the_oracle(case in random_program::program_with(Fold::Dot, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn sum_is_the_oracle(case in random_program::program_with(Fold::Sum, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn max_is_the_oracle(case in random_program::program_with(Fold::Max, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn pair_is_the_oracle(case in random_program::program_with(Fold::Pair, 1..=1)) {
        agree(case)?;
    }

    #[test]
    fn a_lie_is_computed_on_consistently((program, input) in random_program::program(), at in any::<u32>()) {
        // Lying in an operator is evaluating the program with its output replaced: operators before it stay, and each one
        // after it is what the oracle says of the outputs before that.
        let liar = at as usize % program.operators().len();
        let honest = oracle::run(&program, &input);
        // A lie within the operator's range: what follows from one beyond it is nobody's to say (SPEC 5, bound).
        let dtype = program.operators()[liar].dtype;
        let last = honest[liar].len() / dtype.bytes() - 1;
        let own = dtype.read(&honest[liar], last).expect("an element");
        let (least, greatest) = range(&program, OperatorIndex(liar as u32));
        prop_assume!(least < greatest);
        let mut replaced = Vec::new();
        dtype.write(if own == greatest { least } else { greatest }, &mut replaced);
        let mut lie = |operator: OperatorIndex, bytes: &mut Vec<u8>| {
            if operator.0 as usize == liar {
                bytes[last * dtype.bytes()..].copy_from_slice(&replaced);
            }
        };
        let outputs = Engine::new(&program).run_with(&input, &mut lie).expect("the input fits");
        prop_assert_eq!(&outputs[..liar], &honest[..liar]);
        prop_assert_ne!(&outputs[liar], &honest[liar]);
        for index in liar + 1..outputs.len() {
            let operator = OperatorIndex(index as u32);
            let expected = oracle::operator(&program, &input, &outputs, operator);
            prop_assert_eq!(&outputs[index], &expected, "operator {}", index);
        }
    }
}

/// What a random program shows of the operator set; a generator that lost a feature would weaken every test here.
#[test]
fn random_programs_cover_the_operator_set() {
    let mut seen = BTreeSet::new();
    let mut operators = 0;
    let mut runner = TestRunner::deterministic();
    let strategy = random_program::program();
    for _ in 0..1500 {
        let (program, input) = strategy.new_tree(&mut runner).expect("a program").current();
        operators += program.operators().len();
        see_layers(&program, &mut seen);
        for (op, output) in program.operators().iter().zip(oracle::run(&program, &input)) {
            let mut see = |holds: bool, what: &str| {
                if holds {
                    seen.insert(format!("{:?} {what}", op.fold));
                }
            };
            for dtype in [DType::I8, DType::I16, DType::I32] {
                see(op.a.dtype == dtype, &format!("a {dtype:?}"));
                see(op.b.is_some_and(|b| b.dtype == dtype), &format!("b {dtype:?}"));
                see(op.dtype == dtype, &format!("output {dtype:?}"));
            }
            let values: Vec<i64> =
                (0..op.elements() as usize).filter_map(|i| op.dtype.read(&output, i)).collect();
            see(values.iter().any(|v| *v > op.lo.into() && *v < op.hi.into()), "inside the clip");
            see(values.contains(&op.lo.into()) && values.contains(&op.hi.into()), "at both ends of the clip");
            see(op.windows.iter().all(|w| w.limit > 0), "two windows");
            see(op.windows.iter().any(|w| w.limit > 0 && w.offset > 0), "padding");
            see(op.windows.iter().any(|w| w.limit > 0 && w.out_step > 1), "a stride");
            see(op.windows.iter().any(|w| w.limit > 0 && w.red_step > 1), "a dilation");
            see(op.terms() > 512, "many terms");
            see(op.segments() > 1, "segments");
            see(op.out[2] > 1 && op.out[3] > 1, "groups");
        }
    }
    let common = ["a I8", "a I16", "a I32", "output I8", "output I16", "output I32"];
    let common = common.into_iter().chain(["inside the clip", "at both ends of the clip", "groups"]);
    let windows = ["two windows", "padding", "a stride", "a dilation", "many terms", "segments"];
    for fold in [Fold::Dot, Fold::Sum, Fold::Max, Fold::Pair] {
        let b = ["b I8", "b I16", "b I32"].into_iter().filter(|_| fold.has_b());
        let windows = windows.into_iter().filter(|_| fold != Fold::Pair);
        for what in common.clone().chain(b).chain(windows) {
            assert!(seen.contains(&format!("{fold:?} {what}")), "no random program shows {fold:?} {what}");
        }
    }
    for what in [
        "several operators",
        "several exports",
        "32-bit exports",
        "a local operand",
        "an export by rank",
        "a residual",
    ] {
        assert!(seen.contains(&format!("layers: {what}")), "no random program shows {what}");
    }
    assert!(operators > 3000, "programs are mostly rejected: {operators} operators");
}

/// What a random program shows of layers.
fn see_layers(program: &Program, seen: &mut BTreeSet<String>) {
    let mut see = |holds: bool, what: &str| {
        if holds {
            seen.insert(format!("layers: {what}"));
        }
    };
    for layer in program.layers() {
        see(layer.count > 1, "several operators");
        see(layer.exports.len() > 1, "several exports");
        see(layer.exported().any(|index| program.operator(index).dtype == DType::I32), "32-bit exports");
    }
    for (index, op) in program.operators().iter().enumerate() {
        let index = OperatorIndex(index as u32);
        for source in op.sources() {
            match program.reference(index, source) {
                Reference::Local { .. } => see(true, "a local operand"),
                Reference::Export { layer, rank, .. } => {
                    see(rank > 0, "an export by rank");
                    see(layer.0 + 1 < program.layer_of(index).0.0, "a residual");
                }
                Reference::Input | Reference::Constant(_) => {}
            }
        }
    }
}

/// Operators large enough that the engine divides them into pieces, between rows and within them.
#[test]
fn large_operators_are_the_oracle() {
    let same = |limit, stride, step| Window { limit, stride, out_step: step, red_step: 1, offset: 1 };
    let image = [same(50, 50 * 24, 1), same(50, 24, 1)];
    let map = |out, red| IndexMap { base: 0, out, red };
    let (taps, none) = (map([0; 4], [0, 0, 1]), [Window::default(); 2]);
    let weights = map([0, 0, 0, 216], [72, 24, 1]);
    let halved = [same(50, 50 * 24, 2), same(50, 24, 2)];
    let pixels = map([50 * 24, 24, 0, 1], [0; 3]);
    let cases = [
        ("convolution", Fold::Dot, [50, 50, 1, 5], [3, 3, 24], taps, image, Some(weights)),
        (
            "depthwise",
            Fold::Dot,
            [50, 50, 24, 1],
            [3, 3, 1],
            map([0, 0, 1, 0], [0; 3]),
            image,
            Some(map([0, 0, 9, 0], [3, 1, 0])),
        ),
        ("linear", Fold::Dot, [1, 1, 1, 5003], [1, 1, 120], taps, none, Some(map([0, 0, 0, 7], [0, 0, 1]))),
        (
            "rows divided unevenly",
            Fold::Dot,
            [1, 1, 3, 5003],
            [1, 1, 120],
            map([0, 0, 110, 0], [0, 0, 1]),
            none,
            Some(map([0, 0, 0, 7], [0, 0, 1])),
        ),
        (
            "transposed",
            Fold::Dot,
            [1, 1, 190, 120],
            [1, 1, 180],
            map([0, 0, 180, 0], [0, 0, 1]),
            none,
            Some(map([0, 0, 0, 1], [0, 0, 120])),
        ),
        ("max", Fold::Max, [25, 25, 1, 24], [3, 3, 1], map([0, 0, 0, 1], [0; 3]), halved, None),
        ("global sum", Fold::Sum, [1, 1, 1, 24], [50, 50, 1], map([0, 0, 0, 1], [1200, 24, 0]), none, None),
        ("sum of many", Fold::Sum, [100, 40, 1, 96], [1, 1, 2], map([300, 5, 0, 1], [0, 0, 11]), none, None),
        ("pair", Fold::Pair, [50, 50, 1, 24], [1; 3], pixels, none, Some(pixels)),
        (
            "pair, broadcast",
            Fold::Pair,
            [90, 80, 1, 120],
            [1; 3],
            map([24, 9, 0, 1], [0; 3]),
            none,
            Some(map([0, 0, 0, 1], [0; 3])),
        ),
    ];
    for (name, fold, out, red, a, windows, b) in cases {
        let bytes =
            |salt: u32| (0..60_000u32).map(move |i| ((i + salt).wrapping_mul(2_654_435_761) >> 24) as u8);
        let record = record::encode(-1500, 3 << 16, 20);
        let operand = |source, map| Operand { source, dtype: DType::I8, map };
        let op = Operator {
            fold,
            dtype: DType::I16,
            out,
            red,
            a: operand(Source::Input, a),
            windows,
            pad: if fold == Fold::Max { -128 } else { 0 },
            b: b.map(|map| operand(Source::Constant(ConstantIndex(1)), map)),
            scale_a: if fold == Fold::Pair { 300 } else { 0 },
            scale_b: if fold == Fold::Pair { -77 } else { 0 },
            finalise: Finalise::Requantise,
            params: Params { constant: ConstantIndex(0), out: [0; 4] },
            lo: -30_000,
            hi: 30_000,
            split: 64,
        };
        let parts = ProgramParts {
            input: TensorType { dtype: DType::I8, elements: 60_000 },
            operators: vec![op],
            groups: vec![1],
            // Every constant is read: there are no weights without a second operand.
            constants: std::iter::once(Constant { dtype: DType::Params, bytes: record.to_vec() })
                .chain(b.map(|_| Constant { dtype: DType::I8, bytes: bytes(7).collect() }))
                .collect(),
            reveal_bits: 4,
            meta: Meta::default(),
        };
        let program = Program::new(parts).expect(name);
        let input: Vec<u8> = bytes(1).collect();
        let expected = oracle::run(&program, &input);
        for kernel in Kernel::available() {
            let engine = Engine::with(&program, kernel).run(&input).expect("the input fits");
            assert!(engine == expected, "{name} on {}", kernel.name());
        }
    }
}
