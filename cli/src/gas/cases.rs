//! The programs that gas is measured on: the digits model, and synthetic ones of the shapes that published figures are about.

use anyhow::{Context as _, Result};
use narrows_executor::adversary::DoctoredOperator;
use narrows_program::{
    Constant, ConstantIndex, DType, Finalise, Fold, IndexMap, Meta, Operand, Operator, OperatorIndex, Params,
    Program, ProgramParts, Source, TensorType, Window, record,
};

use crate::dispute::noise;

use super::targets::{REFUTE_256, REFUTE_1024, STEP, WHOLE, WHOLE_TRANSACTIONS};

/// A dispute to be played: the program, its input, the lie, and what it should cost at most.
pub struct Case {
    /// What to call it.
    pub name: &'static str,
    /// The program.
    pub program: Program,
    /// The job's canonical input.
    pub input: Vec<u8>,
    /// The lie.
    pub lie: DoctoredOperator,
    /// The final step's target, in gas.
    pub step: Option<u64>,
    /// The whole match's targets, from opening to verdict: gas, transactions.
    pub whole: Option<(u64, u64)>,
    /// The refuting transaction's target, in gas.
    pub refute: Option<u64>,
}

/// The layers of the synthetic programs, and their operator that lies.
const LAYERS: u32 = 128;
const PRODUCT: u32 = 99;
/// Columns of the product: one tile of i8 a row.
const WIDTH: u32 = 128;
/// Rows, so tiles, of the product's output.
const ROWS: u32 = 1 << 14;

/// Every case, built when its turn comes: their tensors need not be in memory together.
pub fn cases() -> Vec<fn() -> Result<Case>> {
    vec![
        digits,
        || {
            let case = product("128 layers, 2^14 tiles, i8 x i8, K = 256", DType::I8, 256, 1024, 1)?;
            Ok(Case { whole: Some((WHOLE, WHOLE_TRANSACTIONS)), refute: Some(REFUTE_256), ..case })
        },
        || {
            let case = product("128 layers, 2^14 tiles, i8 x i8, K = 1,024", DType::I8, 1024, 1024, 1)?;
            Ok(Case { refute: Some(REFUTE_1024), ..case })
        },
        || product("i16 x i8, K = 1,024, segments of 256", DType::I16, 1024, 256, 1),
        || product("a layer of 32 operators, i8 x i8, K = 256", DType::I8, 256, 1024, 32),
        dearest,
    ]
}

fn digits() -> Result<Case> {
    let program = Program::decode(include_bytes!("../../../fixtures/digits/digits.narrows"))?;
    let fits = |one: &Operator| one.segments() > 1 && one.output_bytes() > 128;
    let at = program
        .operators()
        .iter()
        .position(fits)
        .context("the digits program has an operator of segments")?;
    let lie = DoctoredOperator { operator: OperatorIndex(u32::try_from(at)?), element: 0, delta: 64 };
    let input = include_bytes!("../../../fixtures/digits/sample.bin").to_vec();
    let name = "digits, layers of 2 operators";
    Ok(Case { name, program, input, lie, step: Some(STEP), whole: None, refute: None })
}

/// The most that an executor may have to state: partial values of 256 segments, all negative (so none of their bytes is zero),
/// and a divisor that is one of 32 exports.
fn dearest() -> Result<Case> {
    const EXPORTS: u32 = 32;
    const TERMS: u32 = 1 << 16;
    let sum = |source: Source, dtype: DType, terms: u32, base: u32| Operator {
        fold: Fold::Sum,
        dtype: DType::I32,
        out: [1; 4],
        red: [1, 1, terms],
        a: Operand { source, dtype, map: IndexMap { base, red: [0, 0, 1], ..IndexMap::default() } },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: i32::MIN,
        hi: i32::MAX,
        split: 256,
    };
    let divisor = |index: u32| Operator { lo: 1, hi: 127, ..sum(Source::Input, DType::I8, 1, index) };
    let by =
        Operand { source: Source::Operator(OperatorIndex(0)), dtype: DType::I32, map: IndexMap::default() };
    let divided =
        Operator { finalise: Finalise::Divide { by, lift: 0 }, ..sum(Source::Input, DType::I8, TERMS, 0) };
    let copy = |index: u32| sum(Source::Operator(OperatorIndex(index)), DType::I32, 1, 0);
    let operators = (0..EXPORTS).map(divisor).chain([divided]).chain((1..=EXPORTS).map(copy)).collect();
    let program = Program::new(ProgramParts {
        input: TensorType { dtype: DType::I8, elements: TERMS.into() },
        operators,
        groups: vec![EXPORTS as u8, 1, EXPORTS as u8],
        constants: vec![Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() }],
        reveal_bits: 4,
        meta: Meta::default(),
    })?;
    let input = noise(b"input", TERMS as usize).into_iter().map(|byte| byte | 0x80).collect();
    let lie = DoctoredOperator { operator: OperatorIndex(EXPORTS), element: 0, delta: 1 };
    let name = "256 segments, divided by one of 32 exports";
    Ok(Case { name, program, input, lie, step: None, whole: None, refute: None })
}

/// Copies, then a matrix of 2^14 rows, its product with `inner` x 128 weights (2^14 tiles), then copies, in 128 layers of one
/// operator, but for the product's: that has `together`, the product the tenth of them.
fn product(name: &'static str, dtype: DType, inner: u32, split: u32, together: u8) -> Result<Case> {
    let element = ROWS / 3 * WIDTH + 77;
    let copy = |index: u32, dtype: DType, elements: u32, base: u32| Operator {
        fold: Fold::Sum,
        dtype,
        out: [1, 1, 1, elements],
        red: [1; 3],
        a: Operand {
            source: if index == 0 { Source::Input } else { Source::Operator(OperatorIndex(index - 1)) },
            dtype,
            map: IndexMap { base, out: [0, 0, 0, 1], ..IndexMap::default() },
        },
        windows: [Window::default(); 2],
        pad: 0,
        b: None,
        scale_a: 0,
        scale_b: 0,
        finalise: Finalise::Requantise,
        params: Params { constant: ConstantIndex(0), out: [0; 4] },
        lo: dtype.min() as i32,
        hi: dtype.max() as i32,
        split: 1024,
    };
    let operator = |index: u32| match index {
        // The same row again and again.
        98 => Operator { out: [1, 1, ROWS, inner], ..copy(index, dtype, inner, 0) },
        PRODUCT => Operator {
            fold: Fold::Dot,
            dtype: DType::I8,
            out: [1, 1, ROWS, WIDTH],
            red: [1, 1, inner],
            a: Operand {
                map: IndexMap { base: 0, out: [0, 0, inner, 0], red: [0, 0, 1] },
                ..copy(index, dtype, inner, 0).a
            },
            b: Some(Operand {
                source: Source::Constant(ConstantIndex(1)),
                dtype: DType::I8,
                map: IndexMap { base: 0, out: [0, 0, 0, inner], red: [0, 0, 1] },
            }),
            params: Params { constant: ConstantIndex(2), out: [0, 0, 0, 1] },
            lo: -128,
            hi: 127,
            split,
            ..copy(index, dtype, inner, 0)
        },
        // What is wrong reaches the output.
        100 => copy(index, DType::I8, 64, element - 10),
        index if index > PRODUCT => copy(index, DType::I8, 64, 0),
        index => copy(index, dtype, inner, 0),
    };
    let before = if together == 1 { PRODUCT } else { PRODUCT - 9 };
    let mut groups = vec![1; LAYERS as usize];
    groups[before as usize] = together;
    let record = |channel: u32| record::encode(i64::from(channel) * 100 - 6400, 12_345 + channel, 28);
    let program = Program::new(ProgramParts {
        input: TensorType { dtype, elements: u64::from(inner) },
        operators: (0..LAYERS - 1 + u32::from(together)).map(operator).collect(),
        groups,
        constants: vec![
            Constant { dtype: DType::Params, bytes: record::encode(0, 2, 1).to_vec() },
            Constant { dtype: DType::I8, bytes: noise(b"weights", (WIDTH * inner) as usize) },
            Constant { dtype: DType::Params, bytes: (0..WIDTH).flat_map(record).collect() },
        ],
        reveal_bits: 4,
        meta: Meta::default(),
    })?;
    let input = noise(b"input", inner as usize * dtype.bytes());
    let lie = DoctoredOperator { operator: OperatorIndex(PRODUCT), element: element as usize, delta: 1 };
    Ok(Case { name, program, input, lie, step: Some(STEP), whole: None, refute: None })
}
