//! The largest steps of legal programs (29), on both machines at once.

use narrows_bisection::{Parameters, Trace};
use narrows_contracts::MAX_TRANSACTION_BYTES;
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Rule, Source, TensorType, Window, limits, record,
};
use narrows_tests::arena::{Arena, answering, honest};
use narrows_tests::oracle;

/// More gas than a transaction may have: EIP-7825.
const TRANSACTION_GAS: u64 = 1 << 24;
/// More than a transaction's bytes besides its calldata.
const ENVELOPE: usize = 192;

/// One operand: its type, which neighbours it reads, and how many elements its tensor has.
#[derive(Clone, Copy)]
struct Reads {
    dtype: DType,
    red: [u32; 3],
    elements: u32,
}

/// One operator whose only element is the place of the greatest of some values, looked up in a table.
fn one_arg_max(red: [u32; 3], a: Reads, split: u32) -> Program {
    let b = Reads { dtype: DType::I8, red: [0; 3], elements: 1 };
    let mut parts = one_dot(red, a, b, split, false).parts();
    let operator = &mut parts.operators[0];
    (operator.fold, operator.b) = (Fold::ArgMax, None);
    (operator.lo, operator.hi) = (0, 65_535);
    operator.finalise = Finalise::Table(ConstantIndex(1));
    parts.constants[1].bytes = (0..65_536u32).map(|i| (i * 31 + 7) as u8).collect();
    parts.constants[0].bytes = record::encode(0, 2, 1).to_vec();
    Program::new(parts).expect("legal")
}

/// One operator whose only element is a dot product over `red`, in segments of `split`; `windows` as wide as their axes.
fn one_dot(red: [u32; 3], a: Reads, b: Reads, split: u32, windows: bool) -> Program {
    let map = |reads: Reads| IndexMap { base: 0, out: [0; 4], red: reads.red };
    let operand = |source, reads: Reads| Operand { source, dtype: reads.dtype, map: map(reads) };
    let window = |limit| Window { limit, stride: 1, out_step: 1, red_step: 1, offset: 0 };
    let operator = Operator {
        fold: Fold::Dot,
        dtype: DType::I8,
        out: [1; 4],
        red,
        a: operand(Source::Input, a),
        windows: if windows { [window(red[0]), window(red[1])] } else { [Window::default(); 2] },
        pad: 0,
        b: Some(operand(Source::Constant(ConstantIndex(1)), b)),
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: -128,
        hi: 127,
        split,
    };
    let weights = (0..b.elements * b.dtype.bytes() as u32).map(|i| (i * 31 + 7) as u8).collect();
    Program::new(ProgramParts {
        input: TensorType { dtype: a.dtype, elements: a.elements.into() },
        operators: vec![operator],
        groups: vec![1],
        constants: vec![
            Constant { dtype: DType::Params, bytes: record::encode(0, 1, 50).to_vec() },
            Constant { dtype: b.dtype, bytes: weights },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    })
    .expect("legal")
}

/// The gas, and the bytes of calldata, of the step that convicts a lie about the first element of the last operator.
fn step(program: &Program) -> (u64, usize) {
    let input: Vec<u8> = (0..program.header().input.bytes()).map(|i| (i * 37 + 11) as u8).collect();
    let mut outputs = oracle::run(program, &input);
    let truth = Trace::new(program, input.clone(), outputs.clone()).expect("lengths");
    outputs.last_mut().expect("an output")[0] ^= 1;
    let claimed = Trace::new(program, input, outputs).expect("lengths");
    let mut arena = Arena::new(program.clone(), Parameters::default());
    let job = arena.job(truth.input());
    let claim = arena.claim(job, &claimed);
    let mut one = arena.open(&claim);
    let outcome = arena.play(&mut one, &mut answering(program, &claimed), &mut honest(program, &truth));
    assert!(outcome.won());
    let steps = outcome.moves.iter().filter(|(_, call, _)| ["name", "segment"].contains(&call.name()));
    let costs = steps.map(|(_, _, receipt)| (receipt.gas_used, receipt.calldata_bytes));
    costs.max().expect("a step")
}

#[test]
fn attack_29_the_largest_steps_fit_a_transaction() {
    let (split, rows) = (limits::MAX_SPLIT, limits::MAX_STEP_ROWS as u32);
    let tiles = limits::MAX_STEP_TILES as u32;
    let reads = |dtype: DType, red, elements| Reads { dtype, red, elements };
    let whole = |dtype: DType| tiles * 128 / dtype.bytes() as u32;
    // The most rows of the most terms, of the types that take longest, through windows.
    let (r0, r2) = (rows / 32, split / rows);
    let slow = |dtype, step| reads(dtype, [1, 1, step], whole(dtype));
    let most = one_dot([r0, 32, r2], slow(DType::I32, 2), slow(DType::I16, 3), split, true);
    // One row of them, neighbouring or not, as many tiles of each operand as may be.
    let row = |a, b| one_dot([1, 1, whole(DType::I16) - 128], a, b, split, false);
    let dense = row(reads(DType::I16, [0, 0, 1], 12_288), reads(DType::I16, [0, 0, 1], 12_288));
    let strided = row(reads(DType::I8, [0, 0, 2], 24_576), reads(DType::I8, [0, 0, 2], 24_576));
    let bytes = one_dot(
        [1, 1, split],
        reads(DType::I8, [0, 0, 1], 24_576),
        reads(DType::I8, [0, 0, 1], 24_576),
        split,
        false,
    );
    // Tiles that lie far from one another: each with a proof of its own.
    let apart = |step| reads(DType::I8, [0, 0, step], tiles * step);
    let far = one_dot([1, 1, tiles], apart(600), apart(5_000), tiles, false);
    // The same as two segments of a longer fold, each a row short: it may begin within one. 2 * (2048 - 1) = 89 * 46.
    let segments = one_dot([89, 46, r2], slow(DType::I32, 2), slow(DType::I8, 3), split - r2, true);
    assert_eq!(segments.operator(OperatorIndex(0)).segments(), 2);
    let greatest = one_arg_max([r0, 32, r2], slow(DType::I32, 2), split);
    let greatest_apart = one_arg_max([1, 1, tiles], apart(600), tiles);
    for (name, program) in [
        ("most rows and terms", most),
        ("dense", dense),
        ("strided", strided),
        ("bytes", bytes),
        ("far apart", far),
        ("segments", segments),
        ("the place of the greatest", greatest),
        ("the place of the greatest, far apart", greatest_apart),
    ] {
        let (gas, bytes) = step(&program);
        println!("{name}: {gas} gas, {bytes} bytes");
        assert!(gas < TRANSACTION_GAS, "{name}: {gas} gas");
        // Whoever cannot hand it on cannot convict: nodes of public chains take no longer transaction.
        assert!(bytes + ENVELOPE <= MAX_TRANSACTION_BYTES, "{name}: {bytes} bytes");
    }
}

#[test]
fn attack_29_what_would_not_fit_is_illegal() {
    let (split, rows) = (limits::MAX_SPLIT, limits::MAX_STEP_ROWS as u32);
    let reads = Reads { dtype: DType::I8, red: [0, 0, 1], elements: 24_576 };
    let illegal = |red: [u32; 3], split| {
        let parts = one_dot([1, 1, 16], reads, reads, 16, false).parts();
        let operators = vec![Operator { red, split, ..parts.operators[0] }];
        Program::new(ProgramParts { operators, ..parts }).expect_err("too large a step").rule
    };
    assert_eq!(illegal([1, 1, 20_000], split + 1), Rule::Witness);
    assert_eq!(illegal([rows + 1, 1, 1], split), Rule::Witness);
    assert_eq!(illegal([rows, 2, 3], split), Rule::Witness);
    assert_eq!(illegal([1, 1, 24_576], split / 256), Rule::Witness, "too many segments");
}
